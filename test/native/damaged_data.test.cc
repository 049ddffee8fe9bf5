#include "check.h"
#include "core/random.h"
#include "dataset_files.h"

using namespace espalier;
using namespace espalier::test;

namespace {

struct Sample {
  std::string name;
  Bytes images;
  Bytes labels;   // empty: `images` holds both
  size_t header;  // bytes before the pixels
};

std::vector<Sample> samples() {
  const std::string header =
      R"({"images":{"dtype":"U8","shape":[6,1,4,4],"data_offsets":[0,96]},"labels":{"dtype":"I64","shape":[6],"data_offsets":[96,144]}})";
  Bytes labels;
  for (int64_t i = 0; i < 6; ++i) labels += littleEndian(i % 3);
  Bytes floats;
  for (uint32_t i = 0; i < 96; ++i) floats += littleEndian<uint32_t>(0x3F000000 + i);
  return {
      {"images-idx3", idx(0x08, {6, 4, 4}, pattern(96)), idx(0x08, {6}, labelBytes(6, 3)), 16},
      {"images.npy", npy("|u1", "(6, 4, 4)", pattern(96)), npy("<i8", "(6,)", labels), 128},
      {"float.npy", npy("<f4", "(6, 1, 4, 4)", floats, 2), npy("<i8", "(6,)", labels, 3), 128},
      {"data.safetensors", safetensors(header, pattern(96) + labels), "", 8 + header.size()},
      {"cifar10.bin", cifar(2, 1), "", 1},
      {"cifar100.bin", cifar(2, 2), "", 2},
  };
}

DatasetPtr openIn(const DataFolder& folder, const Sample& sample) {
  DatasetSource source{.images = folder.write(sample.name, sample.images), .labels = "", .classes = {}};
  if (!sample.labels.empty()) source.labels = folder.write("labels-" + sample.name, sample.labels);
  return Dataset::open(source);
}

// The error of opening, or nothing; anything but an Error ends the test program.
std::optional<Error> tryOpen(const DataFolder& folder, const Sample& sample) {
  try {
    const auto dataset = openIn(folder, sample);
    dataset->gather(range(0, dataset->size()), at::kCPU);
    dataset->digest();
  } catch (const Error& error) {
    return error;
  }
  return std::nullopt;
}

bool names(const Error& error, const Sample& sample) {
  return error.message().find(sample.name) != std::string::npos;
}

}  // namespace

TEST("damaged data: every sample opens before it is damaged") {
  const DataFolder folder;
  for (const Sample& sample : samples()) EXPECT(!tryOpen(folder, sample));
}

TEST("damaged data: a file cut short anywhere, or with bytes behind it, is refused by name") {
  const DataFolder folder;
  for (const Sample& sample : samples()) {
    const size_t step = std::max<size_t>(1, sample.images.size() / 60);
    for (size_t length = 0; length < sample.images.size(); length += step) {
      Sample cut = sample;
      cut.images.resize(length);
      const auto error = tryOpen(folder, cut);
      // CIFAR has no header: half of two records is one record.
      if (sample.labels.empty() && length % (sample.images.size() / 2) == 0 && length > 0 &&
          sample.header <= 2)
        continue;
      if (!error || !names(*error, sample))
        throw Failure(text(sample.name, " cut to ", length, " bytes was not refused by name"));
      EXPECT(error->code() == ErrorCode::kDataInvalid);
    }
    for (const size_t more : {1, 7, 96}) {
      Sample longer = sample;
      longer.images += Bytes(more, '\1');
      const auto error = tryOpen(folder, longer);
      EXPECT(error && error->code() == ErrorCode::kDataInvalid && names(*error, sample));
    }
  }
}

TEST("damaged data: 600 random changes end in samples or in a typed error") {
  const DataFolder folder;
  SplitMix64 random(20260101);
  int refused = 0;
  for (const Sample& sample : samples()) {
    for (int round = 0; round < 100; ++round) {
      Sample damaged = sample;
      Bytes& target = !sample.labels.empty() && random.below(3) == 0 ? damaged.labels : damaged.images;
      // Headers are where damage hurts.
      const size_t reach = random.below(4) == 0 ? target.size() : std::min(target.size(), sample.header);
      const uint64_t changes = 1 + random.below(3);
      for (uint64_t i = 0; i < changes; ++i) {
        const size_t at = random.below(reach);
        switch (random.below(5)) {
          case 0:
            target[at] = static_cast<char>(random.next());
            break;
          case 1:
            target[at] = static_cast<char>(target[at] ^ (1 << random.below(8)));
            break;
          case 2:
            target[at] = random.below(2) == 0 ? '\xFF' : '\0';
            break;
          case 3:
            target.insert(at, 1 + random.below(8), static_cast<char>(random.next()));
            break;
          default:
            target[at] = "0123456789,()[]{}'\":"[random.below(20)];
            break;
        }
      }
      if (random.below(8) == 0) target.resize(random.below(target.size()));
      if (const auto error = tryOpen(folder, damaged)) {
        ++refused;
        EXPECT(error->code() == ErrorCode::kDataInvalid);
      }
    }
  }
  EXPECT(refused > 350);
}

TEST("damaged data: sizes that overflow are refused before they are used") {
  const DataFolder folder;
  const auto message = [&](const Sample& sample) {
    const auto error = tryOpen(folder, sample);
    EXPECT(error && error->code() == ErrorCode::kDataInvalid);
    return error->message();
  };
  const uint32_t huge = 0xFFFFFFFF;
  EXPECT(message({"big", idx(0x08, {huge, huge, huge, huge}, ""), idx(0x08, {1}, "\1"), 0}).find("2^63") !=
         std::string::npos);
  EXPECT(message({"big.npy", npy("<f4", "(9223372036854775807, 4, 4)", ""), idx(0x08, {1}, "\1"), 0})
             .find("2^63") != std::string::npos);
  message({"big.npy", npy("<f4", "(99999999999999999999, 4)", ""), idx(0x08, {1}, "\1"), 0});
  message(
      {"big.safetensors",
       safetensors(
           R"({"images":{"dtype":"F32","shape":[4611686018427387904,4],"data_offsets":[0,0]},"labels":{"dtype":"U8","shape":[0],"data_offsets":[0,0]}})",
           ""),
       "", 0});
}

TEST("damaged data: what we do not read is named together with what we do") {
  const DataFolder folder;
  const Bytes labels = idx(0x08, {2}, labelBytes(2, 2));
  const auto message = [&](const std::string& name, const Bytes& bytes) {
    const auto error = tryOpen(folder, {name, bytes, labels, 0});
    EXPECT(error && error->code() == ErrorCode::kDataInvalid);
    return error->message();
  };
  EXPECT(message("d.npy", npy("<f8", "(2, 1)", pattern(16))).find("'<f4'") != std::string::npos);
  EXPECT(message("d.npy", npy(">f4", "(2, 1)", pattern(8))).find("found '>f4'") != std::string::npos);
  EXPECT(message("d.npy", npy("<f4", "(2, 1)", pattern(8), 1, true)).find("ascontiguousarray") !=
         std::string::npos);
  EXPECT(message("d.npy", npy("<f4", "(2, 1)", pattern(8), 4)).find("found 4.0") != std::string::npos);
  EXPECT(message("d", idx(0x0E, {2, 1}, pattern(16))).find("Double") != std::string::npos);
  EXPECT(message("d.gz", Bytes("\x1F\x8B\x08\x00", 4)).find("1f 8b 08 00") != std::string::npos);
  const Error offset = *tryOpen(folder, {"d.npy", npy("<f4", "(2, 1)", pattern(7)), labels, 0});
  EXPECT_EQ(offset.details().at("offset").asInt(), 128);
  EXPECT(offset.message().find(
             "expected 8 bytes (npy [2, 1] of Float) at byte 128, found 7 (the file is cut short)") !=
         std::string::npos);
  const auto missing = ERROR_OF(Dataset::open({folder.file("nowhere"), "", {}}));
  EXPECT(missing.code() == ErrorCode::kIo);
  EXPECT(missing.message().find("nowhere") != std::string::npos);
  EXPECT(ERROR_OF(Dataset::open({folder.write("alone", idx(0x08, {2, 4}, pattern(8))), "", {}}))
             .message()
             .find("labels") != std::string::npos);
}
