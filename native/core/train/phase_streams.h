#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include <c10/core/Device.h>

#include "core/data/domain.h"
#include "core/data/stream.h"

namespace espalier {

// What a phase draws batches from. `report` data cannot get in here.
class TrainingStream {
 public:
  TrainingStream(const FitData& data, StreamOptions options) : dataset(data.dataset()), options(options) {}
  TrainingStream(const SelectData& data, StreamOptions options) : dataset(data.dataset()), options(options) {}

  DatasetPtr dataset;
  StreamOptions
      options;  // its seed is set by the trainer from the run's seed, phase and position in the list
};

// One batch a stream. The first stream sets the length of an epoch; the others go round.
using Batches = std::vector<Batch>;

// The streams of a phase that runs.
class PhaseStreams {
 public:
  PhaseStreams() = default;
  // `stepsPerEpoch` 0: as many as the first stream has batches; ERR_DATA_INVALID where that is none. `name`:
  // of the phase.
  PhaseStreams(const std::vector<TrainingStream>& streams, int64_t stepsPerEpoch, const std::string& name,
               uint64_t seed, c10::Device device);

  int64_t stepsPerEpoch() const { return stepsPerEpoch_; }
  // A function of the step alone, so that a replay or a resumed run sees the same.
  Batches at(int64_t step);

 private:
  std::vector<std::unique_ptr<BatchStream>> streams_;
  int64_t stepsPerEpoch_ = 0;
};

}  // namespace espalier
