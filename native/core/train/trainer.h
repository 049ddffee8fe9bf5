#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/job.h"
#include "core/train/autocast.h"
#include "core/train/optimizer.h"
#include "core/train/phase_streams.h"
#include "core/train/state.h"

// A method is a list of phases over one State (state.h). The body of a phase is a free function
// step(State&, const Batches&, StepContext&): what it needs from one step to the next is in the State. The
// trainer owns epochs, shuffling, progress, cancellation, the divergence guard, checkpoints and resume.
namespace espalier {

struct TrainOptions {
  Precision precision = Precision::kFloat32;
  double units = 1;  // of the job's planned work
  // The guard's flag is read, and the last good state kept, every so many steps.
  int64_t guardEvery = 32;
};

class Trainer;

// What a step may do besides computing.
class StepContext {
 public:
  int64_t epoch() const;  // of the phase, from 0
  int64_t step() const;   // of the phase, from 0
  int64_t steps() const;  // of the whole phase
  int64_t stepsPerEpoch() const;

  // Logits of a batch under the run's precision, float32 (or float64) whatever that is. While the guard
  // replays, it notes the first layer whose output is not finite.
  at::Tensor forward(Model& model, const at::Tensor& inputs, Mode mode = Mode::kTrain);
  // The same where `run` makes the logits, because it shares features with other terms of the loss.
  at::Tensor forward(Model& model, const at::Tensor& inputs, Mode mode,
                     const std::function<at::Tensor()>& run);
  // Gradients of `loss` (one element) into the .grad of `parameters`, loss scaling and guard included.
  // `perSample` ([n], optional) lets the guard name samples.
  void backward(const at::Tensor& loss, const std::vector<at::Tensor>& parameters,
                const at::Tensor& perSample = {});
  // One update; nothing happens on the device once the guard's flag is up.
  void optimise(Optimizer& optimizer, double learningRate);
  // The guard's flag, for kernels that update by themselves: where it is 1 they must not.
  const at::Tensor& skip() const;
  // A generator of the run's own by name, on the CPU; saved with the state.
  at::Generator generator(const std::string& name);
  // A figure for progress: the mean since it was last shown. Stays on the device until then.
  void log(const std::string& name, const at::Tensor& value);
  c10::Device device() const;

 private:
  friend class Trainer;
  explicit StepContext(Trainer& trainer) : trainer_(trainer) {}
  Trainer& trainer_;
};

template <class State>
struct Phase {
  std::string name;
  std::vector<TrainingStream> streams;
  int64_t epochs = 1;
  int64_t stepsPerEpoch = 0;  // 0: as many as the first stream has batches
  void (*step)(State&, const Batches&, StepContext&) = nullptr;
  // Before the first step, and after the last step of each epoch; optional. They may evaluate, choose, stop.
  void (*begin)(State&, Job&) = nullptr;
  void (*endEpoch)(State&, int64_t epoch, Job&) = nullptr;
  // Asked after each epoch whether the phase has done what it is for; optional.
  bool (*done)(const State&) = nullptr;
};

// The same with its State erased.
struct ErasedPhase {
  std::string name;
  std::vector<TrainingStream> streams;
  int64_t epochs = 1;
  int64_t stepsPerEpoch = 0;
  std::function<void(const Batches&, StepContext&)> step;
  std::function<void()> begin;
  std::function<void(int64_t epoch)> endEpoch;
  std::function<bool()> done;
};
struct ErasedState {
  std::function<StateArchive(bool copy)> capture;
  std::function<void(const StateArchive&, Origin)> restore;
  std::vector<std::shared_ptr<Model>> models;
};
void trainErased(Job& job, const ErasedState& state, const std::vector<ErasedPhase>& phases,
                 const TrainOptions& options);

// Runs the phases one after another, or goes on where the job's checkpoint left off. ERR_DIVERGED
// { step, layer?, samples?, checkpoint?, model? } when a loss, gradient or weight is not finite; the state,
// whose first network is `model`, is then the last good one.
template <class State>
void train(Job& job, State& state, const std::vector<Phase<State>>& phases,
           const TrainOptions& options = {}) {
  ErasedState erasedState;
  erasedState.capture = [&state](bool copy) { return captureState(state, copy); };
  erasedState.restore = [&state, &job](const StateArchive& archive, Origin origin) {
    restoreState(state, archive, job.device(), origin);
  };
  ModelFinder finder;
  state.fields(finder);
  erasedState.models = finder.take();
  std::vector<ErasedPhase> erased;
  for (const Phase<State>& phase : phases) {
    ErasedPhase out{phase.name, phase.streams, phase.epochs, phase.stepsPerEpoch, {}, {}, {}, {}};
    out.step = [&state, step = phase.step](const Batches& batches, StepContext& context) {
      step(state, batches, context);
    };
    if (phase.begin != nullptr) out.begin = [&state, &job, begin = phase.begin] { begin(state, job); };
    if (phase.endEpoch != nullptr) {
      out.endEpoch = [&state, &job, endEpoch = phase.endEpoch](int64_t epoch) {
        endEpoch(state, epoch, job);
      };
    }
    if (phase.done != nullptr) out.done = [&state, done = phase.done] { return done(state); };
    erased.push_back(std::move(out));
  }
  trainErased(job, erasedState, erased, options);
}

}  // namespace espalier
