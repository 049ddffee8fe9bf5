#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include <c10/core/Device.h>

#include "core/fields.h"
#include "core/method.h"

namespace espalier {

enum class OnWriteError { kStop, kContinue };
template <>
struct EnumNames<OnWriteError> {
  static constexpr EnumName<OnWriteError> kNames[] = {{OnWriteError::kStop, "stop"},
                                                      {OnWriteError::kContinue, "continue"}};
};

// Where and how often a run saves itself: newest at `path`, older at `path`.1, ...
struct CheckpointOptions {
  std::string path;
  std::optional<double> everySeconds;  // default 60 where neither is given
  std::optional<int64_t> everySteps;
  int64_t keep = 2;
  OnWriteError onWriteError = OnWriteError::kStop;
  template <class V>
  void fields(V&& visit) {
    visit("path", path, {.required = true});
    visit("everySeconds", everySeconds, {.min = 0, .exclusiveMin = true});
    visit("everySteps", everySteps, {.min = 1});
    visit("keep", keep, {.min = 1, .max = 100});
    visit("onWriteError", onWriteError);
  }
};

// The options of every method besides its own.
struct RunOptions {
  std::string device = "cpu";
  int64_t seed = 0;
  std::optional<int64_t> threads;  // default: the cores of the machine, shared by the concurrent runs
  std::optional<CheckpointOptions> checkpoint;
  std::optional<std::string> resume;
  template <class V>
  void fields(V&& visit) {
    visit("device", device);
    visit("seed", seed, {.min = 0, .max = 9007199254740991});
    visit("threads", threads, {.min = 1, .max = 1024});
    visit("checkpoint", checkpoint);
    visit("resume", resume);
  }
};

struct RunRequest {
  std::string method;
  Value inputs;   // map: handles and literals
  Value options;  // map: the method's own options
  RunOptions run;
};

// The state of a run's progress; times in milliseconds.
struct Progress {
  std::string method;
  std::string phase;
  int64_t step = 0;
  int64_t steps = 0;
  double fraction = 0;
  double elapsedMs = 0;
  std::optional<double> etaMs;
  double samplesPerSecond = 0;
  Value metrics = Value::Map{};
  template <class V>
  void fields(V&& visit) {
    visit("method", method);
    visit("phase", phase);
    visit("step", step);
    visit("steps", steps);
    visit("fraction", fraction);
    visit("elapsedMs", elapsedMs);
    visit("etaMs", etaMs);
    visit("samplesPerSecond", samplesPerSecond);
    visit("metrics", metrics);
  }
};

// What the caller of a run and the run share.
// Thread rule: cancel() from any thread; onProgress is called on the run's thread, at most every 100 ms and
// once at the end of a phase, and must not block.
class RunControl {
 public:
  explicit RunControl(std::function<void(const Progress&)> onProgress = {})
      : onProgress_(std::move(onProgress)) {}

  void cancel() { cancelled_.store(true, std::memory_order_relaxed); }
  bool cancelled() const { return cancelled_.load(std::memory_order_relaxed); }
  void progress(const Progress& progress) const {
    if (onProgress_) onProgress_(progress);
  }

 private:
  std::atomic<bool> cancelled_{false};
  std::function<void(const Progress&)> onProgress_;
};

struct RunResult {
  Value outputs;  // map of handles
  Value report;   // the envelope (docs/report.md) with the method's figures
};

// Runs a method from start to end on the calling thread, which must be the run's own for its whole length
// (thread counts and autocast state are per thread). Throws Error or Cancelled.
RunResult execute(const MethodTable& methods, const RunRequest& request, RunControl& control);

// "cpu", "cuda", "cuda:1"; ERR_DEVICE_UNAVAILABLE when it is not to be had, never a silent CPU run.
c10::Device parseDevice(const std::string& name);

}  // namespace espalier
