#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "core/job.h"

namespace espalier {

// Many small computations of one run that know nothing of each other.
struct SideBySide {
  std::string key;  // of the checkpoint's entry, and the phase of the progress
  int64_t tasks = 0;
  int64_t ticksPerTask = 1;  // for progress: how often a task calls its tick
  int64_t samplesPerTick = 0;
  int64_t workers = 1;           // that compute at once
  int64_t threadsPerWorker = 1;  // of libtorch's operators
  double units = 1;              // of the job's planned work
};

// Computes every task once, on threads of its own, and returns the values in the order of the tasks: they do
// not depend on `workers`. `compute` gets the task's number and a tick, which it calls at least once a batch
// and which throws when the run is cancelled. A resumed run takes what its checkpoint has.
std::vector<Value> computeSideBySide(
    Job& job, const SideBySide& plan,
    const std::function<Value(int64_t task, const std::function<void()>& tick)>& compute);

}  // namespace espalier
