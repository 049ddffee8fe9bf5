#include "core/data/dataset.h"

#include <set>

#include "check.h"
#include "core/data/domain.h"
#include "dataset_files.h"

using namespace espalier;
using namespace espalier::test;

namespace {

std::string textOf(const std::vector<int64_t>& values) {
  std::string out;
  for (const int64_t value : values) out += text(value, " ");
  return out;
}

at::Tensor allStored(const Dataset& dataset) { return dataset.stored(range(0, dataset.size())); }
at::Tensor allInputs(const Dataset& dataset) {
  return dataset.gather(range(0, dataset.size()), at::kCPU).inputs;
}

bool contains(const std::string& whole, const std::string& part) {
  return whole.find(part) != std::string::npos;
}

// The samples of a dataset as a set of byte strings.
std::multiset<std::string> contents(const Dataset& dataset) {
  std::multiset<std::string> out;
  const at::Tensor all = allStored(dataset).flatten(1).contiguous();
  for (int64_t i = 0; i < all.size(0); ++i) {
    out.emplace(static_cast<const char*>(all[i].const_data_ptr()), static_cast<size_t>(all[i].nbytes()));
  }
  return out;
}

}  // namespace

TEST("dataset: IDX images get a channel and come out in [0, 1]") {
  const DataFolder folder;
  const Bytes pixels = pattern(5 * 4 * 4);
  const auto dataset = Dataset::open({folder.write("images", idx(0x08, {5, 4, 4}, pixels)),
                                      folder.write("labels", idx(0x08, {5}, labelBytes(5, 3))),
                                      {}});
  EXPECT_EQ(dataset->size(), 5);
  EXPECT_EQ(textOf(dataset->sampleShape()), "1 4 4 ");
  EXPECT_EQ(dataset->classes(), 3);
  EXPECT_EQ(textOf(dataset->classCounts()), "2 2 1 ");
  EXPECT_EQ(dataset->bytes(), 80);
  const Batch batch = dataset->gather(at::tensor({4, 0}, at::kLong), at::kCPU);
  EXPECT(batch.inputs.scalar_type() == at::kFloat);
  EXPECT_EQ(batch.inputs[0][0][1][2].item<float>(),
            static_cast<float>(static_cast<uint8_t>(pixels[4 * 16 + 6])) / 255);
  EXPECT_EQ(batch.labels[0].item<int64_t>(), 1);
  EXPECT_EQ(batch.indices[0].item<int64_t>(), 4);
}

TEST("dataset: big-endian IDX numbers are read as numbers") {
  const DataFolder folder;
  const auto dataset = Dataset::open(
      {folder.write("i", idx(0x0C, {2, 2}, bigEndian(1) + bigEndian(70000) + bigEndian(3) + bigEndian(4))),
       folder.write("l", idx(0x0B, {2}, Bytes("\0\1\0\0", 4))),
       {}});
  const Batch batch = dataset->gather(range(0, 2), at::kCPU);
  EXPECT(batch.inputs.scalar_type() == at::kLong);
  EXPECT_EQ(batch.inputs[0][1].item<int64_t>(), 70000);
  EXPECT_EQ(batch.labels[0].item<int64_t>(), 1);
}

TEST("dataset: npy of versions 1 to 3 and of every sample type") {
  const DataFolder folder;
  for (int version = 1; version <= 3; ++version) {
    const auto labels = folder.write(
        "l.npy", npy("<i8", "(2,)", littleEndian<int64_t>(1) + littleEndian<int64_t>(0), version));
    const Bytes floats = littleEndian<uint32_t>(0x3F800000) + littleEndian<uint32_t>(0x40000000);
    const auto real =
        Dataset::open({folder.write("f.npy", npy("<f4", "(2, 1)", floats, version)), labels, {}});
    EXPECT_EQ(allInputs(*real)[1][0].item<float>(), 2.0F);
    const auto whole = Dataset::open(
        {folder.write("i.npy",
                      npy("<i4", "(2, 1)", littleEndian<int32_t>(-5) + littleEndian<int32_t>(6), version)),
         labels,
         {}});
    EXPECT_EQ(allInputs(*whole)[0][0].item<int64_t>(), -5);
    const auto bytes =
        Dataset::open({folder.write("u.npy", npy("|u1", "(2, 1, 2, 2)", pattern(8), version)), labels, {}});
    EXPECT_EQ(textOf(bytes->sampleShape()), "1 2 2 ");
  }
}

TEST("dataset: an npy whose data is not aligned reads the same") {
  const DataFolder folder;
  Bytes file = npy("<i4", "(2, 1)", littleEndian<int32_t>(9) + littleEndian<int32_t>(10));
  file.insert(file.find('\n'), 1, ' ');
  file[8] = static_cast<char>(file[8] + 1);
  const auto dataset = Dataset::open(
      {folder.write("i.npy", file), folder.write("l.npy", npy("|u1", "(2,)", labelBytes(2, 2))), {}});
  EXPECT_EQ(allInputs(*dataset)[1][0].item<int64_t>(), 10);
}

TEST("dataset: safetensors holds images and labels") {
  const DataFolder folder;
  const auto path = folder.write(
      "d.safetensors",
      safetensors(
          R"({"labels":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},"images":{"dtype":"U8","shape":[2,3,2,2],"data_offsets":[2,26]},"__metadata__":{"from":"a test"}})",
          labelBytes(2, 2) + pattern(24)));
  const auto dataset = Dataset::open({path, "", 4});
  EXPECT_EQ(textOf(dataset->sampleShape()), "3 2 2 ");
  EXPECT_EQ(dataset->classes(), 4);
  EXPECT_EQ(textOf(dataset->classCounts()), "1 1 0 0 ");
  EXPECT_EQ(allStored(*dataset).flatten()[23].item<int>(), static_cast<uint8_t>(pattern(24)[23]));
}

TEST("dataset: CIFAR records, alone and in a folder of batches") {
  const DataFolder folder;
  const auto ten = Dataset::open({folder.write("test_batch.bin", cifar(4, 1)), "", {}});
  EXPECT_EQ(ten->classes(), 10);
  EXPECT_EQ(textOf(ten->sampleShape()), "3 32 32 ");
  EXPECT_EQ(allStored(*ten)[3].flatten()[5].item<int>(), static_cast<uint8_t>(pattern(3072, 3)[5]));
  EXPECT_EQ(ten->labels()[3].item<int64_t>(), 3);
  const auto hundred = Dataset::open({folder.write("one.bin", cifar(3, 2)), "", {}});
  EXPECT_EQ(hundred->classes(), 100);
  EXPECT_EQ(hundred->labels()[2].item<int64_t>(), 3);
  folder.write("data_batch_2.bin", cifar(2, 1));
  folder.write("data_batch_1.bin", cifar(3, 1));
  const auto joined = Dataset::open({folder.file(""), "", {}});
  EXPECT_EQ(joined->size(), 5);
  EXPECT_EQ(textOf({joined->labels()[2].item<int64_t>(), joined->labels()[3].item<int64_t>()}), "2 0 ");
  EXPECT(at::equal(joined->stored(at::tensor({3}, at::kLong)), ten->stored(at::tensor({0}, at::kLong))));
  folder.write("data_batch_4.bin", cifar(2, 1));
  EXPECT(contains(ERROR_OF(Dataset::open({folder.file(""), "", {}})).message(), "expected data_batch_3.bin"));
}

TEST("dataset: wrong data is refused by name") {
  const at::Tensor images = at::zeros({3, 1, 2, 2});
  const at::Tensor labels = at::tensor({0, 1, 2}, at::kLong);
  const auto message = [&](const at::Tensor& samples, const at::Tensor& of,
                           std::optional<int64_t> classes = {}) {
    return ERROR_OF(Dataset::fromTensors(samples, of, classes)).message();
  };
  EXPECT(contains(message(images, at::tensor({0, -1, 2}, at::kLong)), "found -1 at index 1"));
  EXPECT(
      contains(message(images, labels, 2), "expected labels from 0 to 1 (classes - 1), found 2 at index 2"));
  EXPECT(contains(message(images, labels.narrow(0, 0, 2)), "found 3 samples in samples and 2 labels"));
  EXPECT(contains(message(images.to(at::kDouble), labels), "found Double"));
  EXPECT(contains(message(images, labels.to(at::kInt)), "expected int64"));
  EXPECT(contains(message(images.narrow(0, 0, 0), labels.narrow(0, 0, 0)), "none empty, found [0, 1, 2, 2]"));
  EXPECT(contains(message(images.flatten(), labels), "are samples and labels swapped?"));
  at::Tensor bad = images.clone();
  bad[1][0][1][0] = std::numeric_limits<float>::infinity();
  const Error error = ERROR_OF(Dataset::fromTensors(bad, labels));
  EXPECT(error.code() == ErrorCode::kDataInvalid);
  EXPECT(contains(error.message(), "in sample 1 (element 2 of 4)"));
  EXPECT_EQ(error.details().at("index").asInt(), 1);
  EXPECT(
      ERROR_OF(Dataset::fromTensors(images, labels)->gather(at::tensor({3}, at::kLong), at::kCPU)).code() ==
      ErrorCode::kOutOfRange);
}

TEST("dataset: a file that changed while it was open is an error, not other samples") {
  const DataFolder folder;
  const auto path = folder.write("i", idx(0x08, {4, 64, 64}, pattern(4 * 64 * 64)));
  const auto dataset = Dataset::open({path, folder.write("l", idx(0x08, {4}, labelBytes(4, 2))), {}});
  std::filesystem::resize_file(path, 16);
  const Error error = ERROR_OF(dataset->gather(range(0, 4), at::kCPU));
  EXPECT(error.code() == ErrorCode::kIo);
  EXPECT(contains(error.message(), "was changed while"));
}

TEST("dataset: pad, resize and channels act on the batch") {
  const auto dataset = toyImages(4, 6);
  const auto view = dataset->pad(9)->resize(9, 3);
  EXPECT_EQ(textOf(view->sampleShape()), "3 9 9 ");
  EXPECT_EQ(view->bytes(), dataset->bytes());
  const at::Tensor plain = allInputs(*dataset), padded = allInputs(*view);
  EXPECT(padded.is_contiguous());
  for (int64_t c = 0; c < 3; ++c) {
    EXPECT(at::equal(padded.select(1, c).narrow(1, 1, 6).narrow(2, 1, 6), plain.select(1, 0)));
  }
  EXPECT_NEAR(padded.sum().item<double>(), 3 * plain.sum().item<double>(), 1e-3);
  const at::Tensor expected = at::upsample_bilinear2d(plain, {10, 10}, false);
  EXPECT(at::equal(allInputs(*dataset->resize(10, {})), expected));
  EXPECT(contains(ERROR_OF(dataset->pad(5)).message(), "expected at least 6"));
  EXPECT(contains(ERROR_OF(view->resize(9, 1)).message(), "expected 3 for channels"));
  const auto tokens = Dataset::fromTensors(range(0, 6).view({3, 2}), range(0, 3));
  EXPECT(contains(ERROR_OF(tokens->resize(4, {})).message(), "found samples of Long [2]"));
}

TEST("dataset: the digest tells bytes, selection, labels and transform apart, and nothing else") {
  const auto dataset = toyImages(12);
  std::set<std::string> digests{
      dataset->digest(),         dataset->take(5, 1, false)->digest(), dataset->take(5, 2, false)->digest(),
      dataset->pad(8)->digest(), dataset->resize(8, {})->digest(),     toyImages(12, 6, 4)->digest()};
  EXPECT_EQ(digests.size(), 6U);
  EXPECT_EQ(dataset->digest(), toyImages(12)->digest());
  EXPECT_EQ(dataset->resize(6, 1)->digest(), dataset->digest());
  EXPECT_EQ(dataset->digest().size(), 64U);
  const DataFolder folder;
  const Bytes pixels(static_cast<const char*>(allStored(*dataset).const_data_ptr()), 12 * 36);
  const auto opened = Dataset::open({folder.write("i", idx(0x08, {12, 6, 6}, pixels)),
                                     folder.write("l", idx(0x08, {12}, labelBytes(12, 3))),
                                     {}});
  EXPECT_EQ(opened->digest(), dataset->digest());
}

TEST("dataset: split parts are disjoint, complete and drawn by the seed") {
  const auto dataset = toyImages(103);
  const auto parts = dataset->split({0.1, 0.2, 0.7}, 7);
  EXPECT_EQ(textOf({parts[0]->size(), parts[1]->size(), parts[2]->size()}), "10 21 72 ");
  std::multiset<std::string> joined;
  for (const auto& part : parts) joined.merge(contents(*part));
  EXPECT(joined == contents(*dataset));
  EXPECT_EQ(dataset->split({0.1, 0.2, 0.7}, 7)[0]->digest(), parts[0]->digest());
  EXPECT(dataset->split({0.1, 0.2, 0.7}, 8)[0]->digest() != parts[0]->digest());
  EXPECT(ERROR_OF(dataset->split({0.6, 0.6}, 1)).code() == ErrorCode::kOutOfRange);
  EXPECT(ERROR_OF(dataset->split({-0.5}, 1)).code() == ErrorCode::kOutOfRange);
  EXPECT(ERROR_OF(dataset->split({}, 1)).code() == ErrorCode::kOutOfRange);
  EXPECT(contains(ERROR_OF(dataset->split({0.001}, 1)).message(), "found none in part 0"));
}

TEST("dataset: a stratified take keeps each class's share to within one sample") {
  const at::Tensor labels =
      at::cat({at::zeros({70}, at::kLong), at::ones({25}, at::kLong), at::full({5}, 3, at::kLong)});
  const auto dataset = Dataset::fromTensors(range(0, 100).view({100, 1}), labels, 5);
  for (int64_t count = 1; count <= 100; ++count) {
    const auto taken = dataset->take(count, 3, true);
    EXPECT_EQ(taken->size(), count);
    const auto counts = taken->classCounts();
    EXPECT_EQ(counts.size(), 5U);
    const double shares[] = {0.70, 0.25, 0, 0.05, 0};
    for (size_t c = 0; c < 5; ++c)
      EXPECT(std::abs(static_cast<double>(counts[c]) - shares[c] * static_cast<double>(count)) < 1);
  }
}

TEST("dataset: a larger take contains the smaller one") {
  const auto dataset = toyImages(60);
  for (const bool stratified : {false, true}) {
    const auto small = contents(*dataset->take(15, 4, stratified)),
               large = contents(*dataset->take(33, 4, stratified));
    EXPECT(std::includes(large.begin(), large.end(), small.begin(), small.end()));
  }
  EXPECT(contains(ERROR_OF(dataset->take(61, 0, false)).message(), "expected 1 to 60"));
  EXPECT(ERROR_OF(dataset->take(0, 0, false)).code() == ErrorCode::kOutOfRange);
}

TEST("dataset: what is held out depends on content, not on order") {
  const auto dataset = toyImages(200);
  const auto [kept, held] = dataset->holdOut(0.1);
  EXPECT_EQ(held->size(), 20);
  EXPECT_EQ(kept->size(), 180);
  EXPECT_EQ(held->classes(), dataset->classes());
  const at::Tensor order = at::randperm(200, at::kLong);
  const auto shuffled = Dataset::fromTensors(allStored(*dataset).index_select(0, order),
                                             dataset->labels().index_select(0, order));
  EXPECT(contents(*shuffled->holdOut(0.1).second) == contents(*held));
}

TEST("dataset: copies of one sample are held out together") {
  const at::Tensor once = allStored(*toyImages(50));
  const auto twice = Dataset::fromTensors(at::cat({once, once}), range(0, 100).remainder(2));
  const auto [kept, held] = twice->holdOut(0.1);
  EXPECT_EQ(held->size(), 10);
  for (const auto& sample : contents(*held)) EXPECT_EQ(contents(*kept).count(sample), 0U);
  const auto same = Dataset::fromTensors(at::zeros({8, 1, 2, 2}), range(0, 8).remainder(2));
  EXPECT(contains(ERROR_OF(same->holdOut(0.5)).message(), "expected at least two different samples"));
  EXPECT(ERROR_OF(twice->holdOut(1)).code() == ErrorCode::kOutOfRange);
}

TEST("domain: roles must fit one another, and a missing one is named") {
  const auto domain = Domain::holdingOut("mnist", toyImages(40), Domain::kSelectFraction, nullptr);
  EXPECT_EQ(domain->select("prune.magnitude")->size(), 4);
  EXPECT_EQ(domain->classes(), 3);
  EXPECT(!domain->has(Role::kReport));
  const std::string missing = ERROR_OF(domain->report("evaluate.accuracy")).message();
  EXPECT(contains(missing, "evaluate.accuracy needs report data of domain mnist"));
  EXPECT(contains(ERROR_OF(Domain("d", toyImages(9), toyImages(9, 7), nullptr)).message(),
                  "[1, 6, 6] in fit and [1, 7, 7] in select"));
  EXPECT(contains(ERROR_OF(Domain("d", toyImages(9), nullptr, toyImages(9, 6, 4))).message(),
                  "3 in fit and 4 in report"));
  EXPECT(contains(ERROR_OF(Domain("d", nullptr, nullptr, nullptr)).message(), "found none"));
  const Value described = domain->describe();
  EXPECT_EQ(described.at("fit").at("samples").asInt(), 36);
  EXPECT(described.at("report").isNull());
}
