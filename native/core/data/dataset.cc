#include "core/data/dataset.h"

#include <bit>
#include <filesystem>
#include <mutex>

#include "core/data/array_file.h"
#include "core/data/cifar.h"
#include "core/data/selection.h"
#include "core/data/storage.h"
#include "core/data/transform.h"
#include "core/error.h"
#include "core/sha256.h"

namespace espalier {

namespace {

using WeakTensor = c10::weak_intrusive_ptr<c10::TensorImpl, c10::UndefinedTensorImpl>;

class StoredDataset final : public Dataset {
 public:
  explicit StoredDataset(const StoragePtr& storage)
      : StoredDataset(storage, at::arange(storage->size(), at::kLong),
                      Transform(storage->type(), storage->sampleShape())) {
    whole_ = true;
  }
  // `positions` in the storage, one or more.
  StoredDataset(StoragePtr storage, at::Tensor positions, Transform transform)
      : storage_(std::move(storage)),
        positions_(std::move(positions)),
        labels_(storage_->labels().index_select(0, positions_)),
        transform_(std::move(transform)) {}

  int64_t size() const override { return positions_.size(0); }
  std::vector<int64_t> sampleShape() const override { return transform_.shape(); }
  int64_t classes() const override { return storage_->classes(); }
  at::Tensor labels() const override { return labels_; }
  int64_t bytes() const override { return size() * storage_->sampleBytes(); }

  std::string digest() const override {
    std::call_once(digested_, [&] { digest_ = computeDigest(); });
    return digest_;
  }

  std::vector<DatasetPtr> split(const std::vector<double>& fractions, uint64_t seed) const override {
    std::vector<DatasetPtr> parts;
    for (const at::Tensor& part : splitPositions(size(), fractions, seed)) parts.push_back(select(part));
    return parts;
  }

  DatasetPtr take(int64_t count, uint64_t seed, bool stratified) const override {
    return select(takePositions(labels_, classes(), count, seed, stratified));
  }

  DatasetPtr resize(int64_t size, std::optional<int64_t> channels) const override {
    Transform next = transform_.resize(size);
    return with(channels ? next.repeatChannel(*channels) : next);
  }

  DatasetPtr pad(int64_t size) const override { return with(transform_.pad(size)); }

  DatasetPtr overlay(const at::Tensor& pattern, const std::string& name) const override {
    return with(transform_.overlay(pattern, name));
  }

  std::pair<DatasetPtr, DatasetPtr> holdOut(double fraction) const override {
    std::vector<uint64_t> hashes;
    const auto bytes = static_cast<size_t>(storage_->sampleBytes());
    storage_->forEach(positions_,
                      [&](const uint8_t* sample) { hashes.push_back(contentHash(sample, bytes)); });
    const auto [kept, heldOut] = holdOutPositions(hashes, fraction);
    return {select(kept), select(heldOut)};
  }

  at::Tensor stored(const at::Tensor& indices) const override {
    return storage_->read(whole_ ? indices : positions_.index_select(0, indices));
  }

  at::Tensor resident(c10::Device device) const override {
    if (device.is_cpu() && whole_ && storage_->inMemory().defined()) return storage_->inMemory();
    const std::lock_guard lock(residentMutex_);
    for (const auto& [where, weak] : resident_) {
      if (where != device) continue;
      if (auto held = weak.lock()) return at::Tensor(std::move(held));
    }
    std::erase_if(resident_, [&](const auto& entry) { return entry.first == device; });
    at::Tensor all = storage_->read(positions_).to(device);
    resident_.emplace_back(device, WeakTensor(all.getIntrusivePtr()));
    return all;
  }

  at::Tensor transformed(at::Tensor samples) const override { return transform_(std::move(samples)); }

 private:
  DatasetPtr select(const at::Tensor& positions) const {
    return std::make_shared<StoredDataset>(storage_, positions_.index_select(0, positions), transform_);
  }

  DatasetPtr with(Transform transform) const {
    auto view = std::make_shared<StoredDataset>(storage_, positions_, std::move(transform));
    view->whole_ = whole_;
    return view;
  }

  std::string computeDigest() const {
    static_assert(std::endian::native == std::endian::little);  // the digest is that of little-endian bytes
    Sha256 sha;
    sha.update(text("espalier dataset 1\n", c10::toString(storage_->type()), " ", size(), " x ",
                    shapeText(storage_->sampleShape()), "\nclasses ", classes(), "\ntransform ",
                    transform_.describe(), "\n"));
    const auto bytes = static_cast<size_t>(storage_->sampleBytes());
    storage_->forEach(positions_, [&](const uint8_t* sample) { sha.update(sample, bytes); });
    sha.update(labels_.const_data_ptr(), labels_.nbytes());
    return sha.hex();
  }

  StoragePtr storage_;
  at::Tensor positions_;
  at::Tensor labels_;
  Transform transform_;
  bool whole_ = false;  // positions are 0, 1, 2, ...

  mutable std::once_flag digested_;
  mutable std::string digest_;
  mutable std::mutex residentMutex_;
  mutable std::vector<std::pair<c10::Device, WeakTensor>> resident_;
};

StoragePtr openPair(const DatasetSource& source, const MappedFilePtr& file) {
  const auto read = [](const MappedFilePtr& from) {
    const auto bytes = from->bytes();
    if (isNpy(bytes)) return parseNpy(from);
    if (isIdx(bytes)) return parseIdx(from);
    failData(from->path(), 0, {"the beginning of an IDX or npy file", "other bytes", ""});
  };
  if (source.labels.empty()) {
    fail(ErrorCode::kDataInvalid, source.images,
         " holds one array: expected a second file with the labels. "
         "Give { images, labels }");
  }
  const Array samples = read(file);
  return Storage::fromArrays(samples, read(MappedFile::open(source.labels)), source.classes);
}

std::string firstBytes(std::span<const uint8_t> bytes) {
  constexpr size_t kShown = 8;
  constexpr char kDigits[] = "0123456789abcdef";
  std::string out;
  for (const uint8_t byte : bytes.first(std::min(kShown, bytes.size()))) {
    out += {kDigits[byte >> 4], kDigits[byte & 15], ' '};
  }
  return out.empty() ? "an empty file" : out + (bytes.size() > kShown ? "..." : "(end)");
}

StoragePtr openStorage(const DatasetSource& source) {
  const auto refuseLabels = [&] {
    if (source.labels.empty()) return;
    fail(ErrorCode::kDataInvalid, source.images, " holds its own labels: expected no second file, found ",
         source.labels);
  };
  std::error_code none;
  if (std::filesystem::is_directory(source.images, none)) {
    refuseLabels();
    return Storage::fromCifar(cifarTrainingFiles(source.images), source.classes);
  }
  const MappedFilePtr file = MappedFile::open(source.images);
  const auto bytes = file->bytes();
  const bool cifarName = source.images.ends_with(".bin");
  if (isNpy(bytes) || (isIdx(bytes) && !(cifarName && source.labels.empty()))) return openPair(source, file);
  if (!cifarName && isSafetensors(bytes)) {
    refuseLabels();
    const auto [samples, labels] = parseSafetensors(file);
    return Storage::fromArrays(samples, labels, source.classes);
  }
  if (cifarName) {
    refuseLabels();
    return Storage::fromCifar({source.images}, source.classes);
  }
  failData(source.images, 0,
           {"the beginning of an IDX, npy or safetensors file (CIFAR records are known by the name *.bin)",
            firstBytes(bytes), "Compressed files are unpacked before they come here"});
}

}  // namespace

DatasetPtr Dataset::open(const DatasetSource& source) {
  return std::make_shared<StoredDataset>(openStorage(source));
}

DatasetPtr Dataset::fromTensors(at::Tensor samples, const at::Tensor& labels,
                                std::optional<int64_t> classes) {
  return std::make_shared<StoredDataset>(Storage::fromTensors(std::move(samples), labels, classes));
}

Value Dataset::describe() const {
  Value out;
  out.set("samples", size());
  out.set("digest", digest());
  return out;
}

std::vector<int64_t> Dataset::classCounts() const {
  std::vector<int64_t> counts(static_cast<size_t>(classes()));
  const at::Tensor all = labels();
  const auto* label = all.const_data_ptr<int64_t>();
  for (int64_t i = 0; i < all.size(0); ++i) ++counts[static_cast<size_t>(label[i])];
  return counts;
}

Batch Dataset::gather(const at::Tensor& wanted, c10::Device device) const {
  const at::Tensor indices = wanted.contiguous();
  const auto* index = indices.const_data_ptr<int64_t>();
  for (int64_t i = 0; i < indices.size(0); ++i) {
    if (index[i] >= 0 && index[i] < size()) continue;
    fail(ErrorCode::kOutOfRange, "expected 0 to ", size() - 1, " for an index of a dataset, received ",
         index[i]);
  }
  return {transformed(stored(indices).to(device)), labels().index_select(0, indices).to(device), indices};
}

}  // namespace espalier
