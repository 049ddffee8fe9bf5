#include "core/train/phase_streams.h"

#include "core/error.h"
#include "core/random.h"

namespace espalier {

PhaseStreams::PhaseStreams(const std::vector<TrainingStream>& streams, int64_t stepsPerEpoch,
                           const std::string& name, uint64_t seed, c10::Device device)
    : stepsPerEpoch_(stepsPerEpoch) {
  for (size_t i = 0; i < streams.size(); ++i) {
    StreamOptions options = streams[i].options;
    options.seed = mixSeed(seed, i);
    streams_.push_back(std::make_unique<BatchStream>(streams[i].dataset, options, device));
  }
  if (stepsPerEpoch_ == 0 && !streams_.empty()) stepsPerEpoch_ = streams_[0]->batchesPerEpoch();
  if (stepsPerEpoch_ == 0) {
    fail(ErrorCode::kDataInvalid, "expected at least one batch an epoch for phase ", name,
         ", found none: the dataset is smaller than a batch and incomplete batches are left out");
  }
}

Batches PhaseStreams::at(int64_t step) {
  Batches batches;
  for (const auto& stream : streams_) {
    const int64_t length = stream->batchesPerEpoch();
    batches.push_back(stream->at(step / length, step % length));
  }
  return batches;
}

}  // namespace espalier
