#include "core/data/storage.h"

#include <bit>
#include <cstring>

#include "core/error.h"

namespace espalier {

namespace {

constexpr int64_t kMaxClasses = int64_t{1} << 20;  // confusion matrices and heads are made from it
// Smaller mappings live in the page cache; asking for their pages costs more than it brings.
constexpr size_t kReadAheadFileBytes = size_t{256} << 20;

// [N, H, W] are images of one channel.
std::vector<int64_t> sampleShapeOf(const std::vector<int64_t>& shape, const std::string& title) {
  const bool anyEmpty = std::any_of(shape.begin(), shape.end(), [](int64_t size) { return size <= 0; });
  if (shape.size() < 2 || shape.size() > 4 || anyEmpty) {
    fail(ErrorCode::kDataInvalid, title,
         ": expected samples of shape [N, C, H, W], [N, H, W], [N, D] or [N, L], none empty, found ",
         shapeText(shape), shape.size() == 1 ? "; are samples and labels swapped?" : "");
  }
  std::vector<int64_t> sample(shape.begin() + 1, shape.end());
  if (shape.size() == 3) sample.insert(sample.begin(), 1);
  return sample;
}

void requireSampleType(at::ScalarType type, const std::string& title) {
  if (type == at::kByte || type == at::kFloat || type == at::kInt || type == at::kLong) return;
  fail(ErrorCode::kDataInvalid, title, ": expected samples of type uint8, float32, int32 or int64, found ",
       c10::toString(type));
}

template <class T>
T element(const Array& array, int64_t index) {
  std::array<uint8_t, sizeof(T)> bytes{};
  std::memcpy(bytes.data(), array.data() + static_cast<size_t>(index) * sizeof(T), sizeof(T));
  if (array.bigEndian) std::reverse(bytes.begin(), bytes.end());
  return std::bit_cast<T>(bytes);
}

template <class T>
void widen(const Array& array, int64_t* out) {
  // The sign of an int8 label counts: a negative one is refused later.
  // NOLINTNEXTLINE(bugprone-signed-char-misuse)
  for (int64_t i = 0; i < array.count(); ++i) out[i] = static_cast<int64_t>(element<T>(array, i));
}

at::Tensor labelsOf(const Array& array) {
  if (array.shape.size() != 1) {
    fail(ErrorCode::kDataInvalid, array.title(), ": expected labels of shape [N], found ",
         shapeText(array.shape));
  }
  at::Tensor labels = at::empty({array.shape[0]}, at::kLong);
  auto* out = labels.data_ptr<int64_t>();
  switch (array.type) {
    case at::kByte:
      widen<uint8_t>(array, out);
      break;
    case at::kChar:
      widen<int8_t>(array, out);
      break;
    case at::kShort:
      widen<int16_t>(array, out);
      break;
    case at::kUInt16:
      widen<uint16_t>(array, out);
      break;
    case at::kInt:
      widen<int32_t>(array, out);
      break;
    case at::kUInt32:
      widen<uint32_t>(array, out);
      break;
    case at::kLong:
      widen<int64_t>(array, out);
      break;
    default:
      fail(ErrorCode::kDataInvalid, array.title(), ": expected labels of an integer type, found ",
           c10::toString(array.type));
  }
  return labels;
}

// In the machine's byte order and aligned, which a file's bytes need not be.
at::Tensor nativeCopy(const Array& array) {
  at::Tensor samples = at::empty(array.shape, array.type);
  auto* out = static_cast<uint8_t*>(samples.data_ptr());
  const auto width = static_cast<size_t>(array.elementBytes());
  std::memcpy(out, array.data(), samples.nbytes());
  if (!array.bigEndian) return samples;
  for (size_t at = 0; at < samples.nbytes(); at += width) std::reverse(out + at, out + at + width);
  return samples;
}

int64_t firstNonFinite(const uint8_t* data, int64_t count) {
  constexpr uint32_t kExponent = 0x7F800000;
  for (int64_t i = 0; i < count; ++i) {
    uint32_t bits;
    std::memcpy(&bits, data + 4 * i, 4);
    if ((bits & kExponent) == kExponent) return i;
  }
  return -1;
}

}  // namespace

Storage::Storage(at::ScalarType type, std::vector<int64_t> shape, std::vector<Run> runs)
    : type_(type), sampleShape_(std::move(shape)), runs_(std::move(runs)) {
  sampleBytes_ = static_cast<int64_t>(c10::elementSize(type));
  for (const int64_t size : sampleShape_) sampleBytes_ *= size;
}

std::shared_ptr<Storage> Storage::inMemory(at::Tensor samples) {
  const std::vector<int64_t> shape = sampleShapeOf(samples.sizes().vec(), "samples");
  std::vector<int64_t> whole = shape;
  whole.insert(whole.begin(), samples.size(0));
  samples = samples.detach().cpu().contiguous().view(whole);
  const int64_t count = samples.size(0);
  const auto stride = static_cast<int64_t>(samples.nbytes()) / count;
  std::shared_ptr<Storage> storage(
      new Storage(samples.scalar_type(), shape,
                  {{static_cast<const uint8_t*>(samples.const_data_ptr()), count, stride, nullptr}}));
  storage->memory_ = std::move(samples);
  return storage;
}

StoragePtr Storage::fromTensors(at::Tensor samples, const at::Tensor& labels,
                                std::optional<int64_t> classes) {
  requireSampleType(samples.scalar_type(), "samples");
  if (labels.dim() != 1 || labels.scalar_type() != at::kLong) {
    fail(ErrorCode::kDataInvalid, "labels: expected int64 of shape [N], found ",
         c10::toString(labels.scalar_type()), " of ", shapeText(labels.sizes().vec()));
  }
  auto storage = inMemory(std::move(samples));
  storage->setLabels(labels.detach().cpu().contiguous(), classes, "samples", "labels");
  storage->requireFinite("samples");
  return storage;
}

StoragePtr Storage::fromArrays(const Array& samples, const Array& labels, std::optional<int64_t> classes) {
  requireSampleType(samples.type, samples.title());
  const std::vector<int64_t> shape = sampleShapeOf(samples.shape, samples.title());
  std::shared_ptr<Storage> storage;
  const bool swapped = samples.bigEndian && samples.elementBytes() > 1;
  if (swapped || samples.offset % static_cast<uint64_t>(samples.elementBytes()) != 0) {
    storage = inMemory(nativeCopy(samples));
  } else {
    storage.reset(new Storage(samples.type, shape, {}));
    storage->runs_.push_back({samples.data(), samples.shape[0], storage->sampleBytes_, samples.file});
  }
  storage->setLabels(labelsOf(labels), classes, samples.title(), labels.title());
  storage->requireFinite(samples.title());
  return storage;
}

void Storage::setLabels(at::Tensor labels, std::optional<int64_t> classes, const std::string& samplesTitle,
                        const std::string& labelsTitle) {
  int64_t samples = 0;
  for (const Run& run : runs_) samples += run.count;
  if (labels.size(0) != samples) {
    fail(ErrorCode::kDataInvalid, "expected as many labels as samples, found ", samples, " samples in ",
         samplesTitle, " and ", labels.size(0), " labels in ", labelsTitle);
  }
  if (classes && (*classes < 1 || *classes > kMaxClasses)) {
    fail(ErrorCode::kOutOfRange, "expected 1 to ", kMaxClasses, " for classes, received ", *classes);
  }
  const int64_t limit = classes.value_or(kMaxClasses);
  const auto* label = labels.const_data_ptr<int64_t>();
  int64_t largest = 0;
  for (int64_t i = 0; i < samples; ++i) {
    if (label[i] < 0 || label[i] >= limit) {
      Value details;
      details.set("index", i);
      details.set("label", label[i]);
      throw Error(ErrorCode::kDataInvalid,
                  text(labelsTitle, ": expected labels from 0 to ", limit - 1,
                       classes ? " (classes - 1)" : "", ", found ", label[i], " at index ", i),
                  std::move(details));
    }
    largest = std::max(largest, label[i]);
  }
  labels_ = std::move(labels);
  classes_ = classes.value_or(largest + 1);
}

void Storage::requireFinite(const std::string& title) const {
  if (type_ != at::kFloat) return;
  const int64_t count = sampleBytes_ / 4;
  for (int64_t i = 0; i < size(); ++i) {
    const int64_t bad = firstNonFinite(sample(i), count);
    if (bad < 0) continue;
    Value details;
    details.set("index", i);
    throw Error(ErrorCode::kDataInvalid,
                text(title, ": expected finite numbers, found NaN or infinity in sample ", i, " (element ",
                     bad, " of ", count, ")"),
                std::move(details));
  }
}

const uint8_t* Storage::sample(int64_t index) const {
  const Run& run = runOf(index);
  return run.first + index * run.stride;
}

// Datasets have one run, or a handful of CIFAR batches.
const Run& Storage::runOf(int64_t& index) const {
  for (const Run& run : runs_) {
    if (index < run.count) return run;
    index -= run.count;
  }
  fail(ErrorCode::kInternal, "sample index beyond the storage by ", index);
}

void Storage::checkUnchanged() const {
  for (const Run& run : runs_) {
    if (run.file) run.file->checkUnchanged();
  }
}

at::Tensor Storage::read(const at::Tensor& indices) const {
  checkUnchanged();
  const auto* index = indices.const_data_ptr<int64_t>();
  const int64_t count = indices.size(0);
  const auto bytes = static_cast<size_t>(sampleBytes_);
  for (int64_t i = 0; i < count; ++i) {
    int64_t inside = index[i];
    const Run& run = runOf(inside);
    if (!run.file || run.file->bytes().size() < kReadAheadFileBytes) continue;
    run.file->willNeed(run.first + inside * run.stride, bytes);
  }
  std::vector<int64_t> shape = sampleShape_;
  shape.insert(shape.begin(), count);
  at::Tensor samples = at::empty(shape, type_);
  auto* out = static_cast<uint8_t*>(samples.data_ptr());
  for (int64_t i = 0; i < count; ++i)
    std::memcpy(out + static_cast<size_t>(i) * bytes, sample(index[i]), bytes);
  return samples;
}

}  // namespace espalier
