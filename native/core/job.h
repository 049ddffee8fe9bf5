#pragma once

#include <chrono>
#include <functional>
#include <string>
#include <vector>

#include "core/checkpoint/node.h"
#include "core/checkpoint/writer.h"
#include "core/method.h"
#include "core/run.h"

namespace espalier {

// What all jobs of one run share.
struct RunContext {
  const MethodTable& methods;
  const RunRequest& request;
  RunControl& control;
  c10::Device device = c10::kCPU;
  Value identity;
  std::vector<std::string> warnings;
  std::unique_ptr<CheckpointNode> root;
  CheckpointWriter writer = {};
  std::chrono::steady_clock::time_point start = std::chrono::steady_clock::now();
  std::chrono::steady_clock::time_point lastProgress = start - std::chrono::hours(1);
  std::chrono::steady_clock::time_point lastCheckpoint = start;
  double fraction = 0;          // of the newest progress; it never falls
  double fractionAtStart = -1;  // of a resumed run: the first fraction seen, so that its ETA is honest
};

// What a method holds of the run it is part of: device, seed, cancellation, progress, sub-runs, checkpoints.
// Thread rule: used only on the run's thread.
class Job {
 public:
  Job(RunContext& context, CheckpointNode& node, std::string method, uint64_t seed, double begin,
      double span);

  c10::Device device() const { return context_.device; }
  // Of this method invocation: a sub-run has another than its parent.
  uint64_t seed() const { return seed_; }
  const std::string& method() const { return method_; }

  // Throws Cancelled once the caller has cancelled.
  void checkCancelled() const;
  void warn(std::string message);

  // How many units of work the whole method takes; each training, sub-run, memo and phase says how many of
  // them it does. Default 1.
  void plan(double units) { plannedUnits_ = units; }
  // Reports progress, at most every 100 ms unless `now`; `unitsSoFar` are those of what is not finished yet.
  bool progressDue() const;
  void progress(const std::string& phase, int64_t step, int64_t steps, double unitsSoFar,
                double samplesPerSecond, Value metrics, bool now = false);
  // Counts work that is done without a line of progress.
  void reach(double unitsSoFar);
  void finishUnits(double units) { doneUnits_ += units; }

  // Runs another method by its registered name, as a node of this one's checkpoint, with a seed stream of its
  // own and a share of the progress.
  MethodResult run(const std::string& method, const Value& inputs, const Value& options, double units = 1);
  // Computes once: a resumed run takes the value from its checkpoint. For what costs time and is no training.
  Value memo(const std::string& key, const std::function<Value()>& compute);

  // For the trainer: its entry, and whether the run writes checkpoints at all.
  CheckpointEntry& enter(const std::string& key) { return node_.enter(key); }
  // How many entries came before the next: tells two trainings of one method apart.
  uint64_t ordinal() const { return node_.next; }
  // What a training ran between its steps before it was saved is not asked for again.
  void goOnAt(int64_t ordinal) { node_.goOnAt(ordinal); }
  bool writesCheckpoints() const { return context_.request.run.checkpoint.has_value(); }
  bool checkpointDue(int64_t step) const;
  // The entries that are running must hold what is to be saved. Obeys onWriteError. It is on disk when this
  // returns.
  void writeCheckpointNow();
  // The same while the run goes on: the tensors must be copies. What goes wrong shows at the next one.
  void writeCheckpointBehind();
  // Waits for the write under way. All work is done: what goes wrong with it is but a warning.
  void endCheckpoints();
  std::string checkpointPath() const;

 private:
  void warnOfCheckpoint(const Error& error);

  RunContext& context_;
  CheckpointNode& node_;
  std::string method_;
  uint64_t seed_;
  double begin_;
  double span_;
  double plannedUnits_ = 1;
  double doneUnits_ = 0;
};

// What stands for the inputs of a run in reports and identities: handles by their digests.
Value describeInputs(const Value& inputs);

}  // namespace espalier
