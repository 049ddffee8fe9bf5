#include "core/data/stream.h"

#include <future>

#include "core/data/array_file.h"
#include "core/data/augment.h"
#include "core/data/selection.h"
#include "core/error.h"
#include "core/random.h"

namespace espalier {

struct BatchStream::Impl {
  Impl(DatasetPtr samples, const StreamOptions& streamOptions, c10::Device where)
      : dataset(std::move(samples)), options(streamOptions), device(where) {}

  DatasetPtr dataset;
  StreamOptions options;
  c10::Device device;
  at::Tensor resident;  // undefined: streamed
  at::Tensor order;     // of orderEpoch
  int64_t orderEpoch = -1;
  // The read that goes on; its thread ends before this does.
  std::future<at::Tensor> ahead;
  std::pair<int64_t, int64_t> aheadOf{-1, -1};

  int64_t batchesPerEpoch() const {
    const int64_t full = dataset->size() / options.batchSize;
    return full + (!options.dropLast && dataset->size() % options.batchSize > 0);
  }

  at::Tensor positions(int64_t epoch, int64_t index) {
    const int64_t begin = index * options.batchSize;
    const int64_t count = std::min(options.batchSize, dataset->size() - begin);
    if (!options.shuffle) return at::arange(begin, begin + count, at::kLong);
    if (orderEpoch != epoch) {
      order = permutation(dataset->size(),
                          mixSeed(mixSeed(options.seed, "shuffle"), static_cast<uint64_t>(epoch)));
      orderEpoch = epoch;
    }
    return order.narrow(0, begin, count);
  }

  at::Tensor read(const at::Tensor& positions) const {
    const at::Tensor samples = dataset->stored(positions);
    return device.is_cuda() ? samples.pin_memory() : samples;
  }

  void readAhead(int64_t epoch, int64_t index) {
    aheadOf = {epoch, index};
    ahead = std::async(std::launch::async,
                       [this, positions = positions(epoch, index)] { return read(positions); });
  }

  at::Tensor samples(int64_t epoch, int64_t index, const at::Tensor& positions) {
    if (resident.defined()) return resident.index_select(0, positions.to(device));
    const bool expected = ahead.valid() && aheadOf == std::pair(epoch, index);
    if (ahead.valid() && !expected) ahead.wait();
    const at::Tensor samples = expected ? ahead.get() : read(positions);
    const bool lastOfEpoch = index + 1 == batchesPerEpoch();
    readAhead(lastOfEpoch ? epoch + 1 : epoch, lastOfEpoch ? 0 : index + 1);
    return samples.to(device, /*non_blocking=*/true);
  }
};

BatchStream::BatchStream(DatasetPtr dataset, StreamOptions options, c10::Device device)
    : impl_(std::make_unique<Impl>(std::move(dataset), options, device)) {
  if (options.batchSize < 1) {
    fail(ErrorCode::kOutOfRange, "expected at least 1 for batchSize, received ", options.batchSize);
  }
  const Dataset& data = *impl_->dataset;
  if (batchesPerEpoch() == 0) {
    fail(ErrorCode::kDataInvalid, "expected at least ", options.batchSize,
         " samples (one full batch), found ", data.size(), ". Use a smaller batchSize");
  }
  const bool images = data.sampleShape().size() == 3 &&
                      data.transformed(data.stored(at::zeros({1}, at::kLong))).is_floating_point();
  if (!options.augmentation.empty() && !images) {
    fail(ErrorCode::kDataInvalid, "augmentation expects images [C, H, W], found samples ",
         shapeText(data.sampleShape()));
  }
  if (data.bytes() <= options.residentBytes) impl_->resident = data.resident(device);
}

BatchStream::~BatchStream() = default;

int64_t BatchStream::batchesPerEpoch() const { return impl_->batchesPerEpoch(); }

bool BatchStream::resident() const { return impl_->resident.defined(); }

Batch BatchStream::at(int64_t epoch, int64_t index) {
  if (epoch < 0 || index < 0 || index >= batchesPerEpoch()) {
    fail(ErrorCode::kOutOfRange, "expected an epoch of at least 0 and a batch from 0 to ",
         batchesPerEpoch() - 1, ", received epoch ", epoch, ", batch ", index);
  }
  const Dataset& dataset = *impl_->dataset;
  const at::Tensor positions = impl_->positions(epoch, index);
  at::Tensor inputs = dataset.transformed(impl_->samples(epoch, index, positions));
  inputs = augment(std::move(inputs), impl_->options.augmentation, impl_->options.seed, epoch, positions);
  return {std::move(inputs), dataset.labels().index_select(0, positions).to(impl_->device), positions};
}

}  // namespace espalier
