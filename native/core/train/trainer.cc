#include "core/train/trainer.h"

#include <ATen/CPUGeneratorImpl.h>
#include <torch/types.h>
#include <torch/utils.h>

#include "core/random.h"
#include "core/train/diagnosis.h"
#include "core/train/guard.h"
#include "core/train/randomness.h"

namespace espalier {

namespace {

constexpr std::string_view kGeneratorPrefix = "~generator/";
constexpr const char* kScaleName = "~scale";
constexpr const char* kGrowthName = "~growth";

}  // namespace

class Trainer {
 public:
  Trainer(Job& job, const ErasedState& state, const std::vector<ErasedPhase>& phases,
          const TrainOptions& options)
      : job_(job),
        state_(state),
        phases_(phases),
        options_(options),
        guard_(job.device()),
        base_(mixSeed(mixSeed(job.seed(), "train"), job.ordinal())),
        entry_(job.enter("train")) {
    if (options_.precision == Precision::kFloat16) {
      if (!job.device().is_cuda()) {
        fail(ErrorCode::kDeviceUnavailable, "precision 'float16' needs device 'cuda', received '",
             job.device().str(), "': use 'bfloat16' or 'float32'");
      }
      const auto scalar = at::TensorOptions().device(job.device());
      scale_ = torch::full({}, 65536.0, scalar.dtype(at::kFloat));
      growth_ = torch::zeros({}, scalar.dtype(at::kInt));
    }
    for (const auto& model : state_.models) random_ = random_ || model->graph(Mode::kTrain).usesRandomness();
  }

  void run() {
    resume();
    if (entry_.finished) {
      job_.finishUnits(options_.units);
      return;
    }
    entry_.state = StateArchive{};
    for (; position_.phase < phases_.size(); position_ = {position_.phase + 1, 0, 0, false})
      runPhase(phases_[position_.phase]);
    entry_.finished = true;
    entry_.state = job_.writesCheckpoints() ? pack(/*copy=*/true) : StateArchive{};
    job_.finishUnits(options_.units);
  }

 private:
  friend class StepContext;

  struct Position {
    size_t phase = 0;
    int64_t step = 0;
    int64_t epochsClosed = 0;
    bool begun = false;  // a phase may be stopped between its begin and its first step
  };

  void runPhase(const ErasedPhase& phase) {
    openStreams(phase);
    checkPosition(phase);
    // A resumed run may begin between two steps, where nothing else counts what is done.
    job_.reach(unitsSoFar(phase));
    if (!position_.begun && phase.begin) betweenSteps(phase.begin);
    position_.begun = true;
    watch_ = WeightWatch(state_.models);
    keepGoodState();
    windowStart_ = std::chrono::steady_clock::now();
    while (position_.step < steps_ || position_.epochsClosed < phase.epochs) {
      if (epochEnds()) {
        closeEpoch(phase);
        continue;
      }
      // Also true of a run that goes on right behind the epoch.
      if (phase.done && position_.step == position_.epochsClosed * streams_.stepsPerEpoch() &&
          position_.step > 0 && phase.done()) {
        break;
      }
      stopIfCancelled();
      doStep(phase);
      ++position_.step;
      // The end of an epoch does both for itself.
      if (position_.step % options_.guardEvery == 0 && !epochEnds()) {
        checkGuard(phase);
        keepGoodState();
      }
      showProgress(phase, position_.step == steps_);
      if (job_.checkpointDue(position_.step)) {
        checkGuard(phase);
        entry_.state = pack(/*copy=*/true);
        job_.writeCheckpointBehind();
        entry_.state = StateArchive{};
      }
    }
  }

  bool epochEnds() const { return position_.step == (position_.epochsClosed + 1) * streams_.stepsPerEpoch(); }

  // That of a damaged checkpoint may be one from which no epoch ever ends.
  void checkPosition(const ErasedPhase& phase) const {
    const int64_t step = position_.step;
    const int64_t closed = position_.epochsClosed;
    const bool isWithin = closed >= 0 && closed <= phase.epochs &&
                          step >= closed * streams_.stepsPerEpoch() &&
                          step <= std::min(steps_, (closed + 1) * streams_.stepsPerEpoch());
    if (!isWithin) {
      fail(ErrorCode::kCheckpointInvalid, "the saved state of ", job_.method(), " does not fit it: step ",
           step, " with ", closed, " of ", phase.epochs, " epochs of ", streams_.stepsPerEpoch(),
           " steps closed");
    }
  }

  void openStreams(const ErasedPhase& phase) {
    const uint64_t seed = mixSeed(mixSeed(base_, phase.name), position_.phase);
    streams_ = PhaseStreams(phase.streams, phase.stepsPerEpoch, phase.name, seed, job_.device());
    steps_ = streams_.stepsPerEpoch() * phase.epochs;
  }

  void doStep(const ErasedPhase& phase) {
    const RandomTurn turn(
        random_, job_.device(),
        mixSeed(mixSeed(mixSeed(base_, phase.name), "dropout"), static_cast<uint64_t>(position_.step)));
    const Batches batches = streams_.at(position_.step);
    if (diagnosis_) diagnosis_->beginStep(batches);
    if (!batches.empty()) windowSamples_ += batches[0].labels.size(0);
    StepContext context(*this);
    phase.step(batches, context);
    if (scale_.defined()) at::_amp_update_scale_(scale_, growth_, guard_.overflowed(), 2.0, 0.5, 2000);
    guard_.nextStep();
  }

  void closeEpoch(const ErasedPhase& phase) {
    checkGuard(phase);
    try {
      if (phase.endEpoch) betweenSteps([&] { phase.endEpoch(position_.epochsClosed); });
    } catch (const NotFinite& found) {
      if (!found.isAbout(state_.models)) throw;
      answers_ = &found;
      diverged(phase);
    }
    ++position_.epochsClosed;
    if (position_.step < steps_) keepGoodState();
  }

  // `body` may change the state, run other methods and be cancelled half way: what a checkpoint holds
  // meanwhile is the state before it.
  template <class Body>
  void betweenSteps(const Body& body) {
    if (job_.writesCheckpoints()) entry_.state = pack(/*copy=*/true);
    body();
    entry_.state = StateArchive{};
  }

  // The run writes the checkpoint.
  void stopIfCancelled() {
    try {
      job_.checkCancelled();
    } catch (const Cancelled&) {
      if (job_.writesCheckpoints()) {
        checkGuard(phases_[position_.phase]);
        entry_.state = pack(/*copy=*/false);
      }
      throw;
    }
  }

  // --- state, as the checkpoint and the guard keep it

  // What a checkpoint holds in another shape or kind than this training keeps it is the file's fault.
  void resume() {
    try {
      if (entry_.state.scalars.asMap().empty()) return;
      unpack(entry_.state, Origin::kFile);
      job_.goOnAt(entry_.state.scalars.at("ordinal").asInt());
      const size_t phases = phases_.size() + (entry_.finished ? 1 : 0);
      if (position_.phase >= phases)
        fail(ErrorCode::kOutOfRange, "expected a phase below ", phases, ", found ", position_.phase);
    } catch (const Error& error) {
      if (error.code() != ErrorCode::kInvalidArgType && error.code() != ErrorCode::kOutOfRange) throw;
      fail(ErrorCode::kCheckpointInvalid, "the saved state of ", job_.method(),
           " does not fit it: ", error.message());
    }
  }

  StateArchive pack(bool copy) {
    StateArchive archive = state_.capture(copy);
    Value scalars = Value::Map{
        {"state", std::move(archive.scalars)},
        {"phase", static_cast<int64_t>(position_.phase)},
        {"step", position_.step},
        {"epochsClosed", position_.epochsClosed},
        {"begun", position_.begun},
        {"ordinal", static_cast<int64_t>(job_.ordinal())},
    };
    archive.scalars = std::move(scalars);
    for (auto& [name, generator] : generators_) {
      archive.tensors.emplace_back(std::string(kGeneratorPrefix) + name, generator.get_state());
    }
    if (scale_.defined()) {
      archive.tensors.emplace_back(kScaleName, copy ? scale_.clone() : scale_);
      archive.tensors.emplace_back(kGrowthName, copy ? growth_.clone() : growth_);
    }
    return archive;
  }

  void unpack(const StateArchive& archive, Origin origin) {
    StateArchive inner;
    inner.scalars = archive.scalars.at("state");
    for (const auto& [name, tensor] : archive.tensors) {
      if (name.rfind(kGeneratorPrefix, 0) == 0) {
        generator(name.substr(kGeneratorPrefix.size())).set_state(tensor);
      } else if (name == kScaleName) {
        scale_.copy_(tensor);
      } else if (name == kGrowthName) {
        growth_.copy_(tensor);
      } else {
        inner.tensors.emplace_back(name, tensor);
      }
    }
    state_.restore(inner, origin);
    position_ = {static_cast<size_t>(archive.scalars.at("phase").asInt()), archive.scalars.at("step").asInt(),
                 archive.scalars.at("epochsClosed").asInt(), archive.scalars.at("begun").asBool()};
  }

  at::Generator& generator(const std::string& name) {
    auto found = generators_.find(name);
    if (found == generators_.end()) {
      found = generators_
                  .emplace(name, at::detail::createCPUGenerator(mixSeed(mixSeed(base_, "generator"), name)))
                  .first;
    }
    return found->second;
  }

  // --- the divergence guard

  void keepGoodState() { lastGood_ = pack(/*copy=*/true); }

  void checkGuard(const ErasedPhase& phase) {
    if (guard_.raised() || !watch_.firstNotFinite().empty()) diverged(phase);
  }

  // Whether the last step of a replay is bad.
  bool isBad() {
    const std::string path = watch_.firstNotFinite();
    const NotFinite* answers = answers_ != nullptr && answers_->holds() ? answers_ : nullptr;
    if (diagnosis_) diagnosis_->seeAfter(path, answers);
    return guard_.raised() || !path.empty() || answers != nullptr;
  }

  // Replays from the last good state with a diagnosis of every step, to name step, layer and samples; leaves
  // the state as it was before the first bad step.
  [[noreturn]] void diverged(const ErasedPhase& phase) {
    diagnosis_ = std::make_unique<Diagnosis>(state_.models);
    const bool reproduced = replayUntil(phase, position_.step);
    const int64_t bad = position_.step;
    const std::unique_ptr<Diagnosis> diagnosis = std::move(diagnosis_);
    if (reproduced) replayUntil(phase, bad);
    guard_.reset();
    if (job_.writesCheckpoints()) {
      entry_.state = pack(/*copy=*/false);
      job_.writeCheckpointNow();
    }
    throw diagnosis->error(bad, phase.name, job_.checkpointPath());
  }

  // Whether a step before `end` is bad; the position is then that step's.
  bool replayUntil(const ErasedPhase& phase, int64_t end) {
    unpack(lastGood_, Origin::kRun);
    guard_.reset();
    for (; position_.step < end; ++position_.step) {
      doStep(phase);
      if (isBad()) return true;
    }
    return false;
  }

  void showProgress(const ErasedPhase& phase, bool last) {
    if (!last && !job_.progressDue()) return;
    const auto now = std::chrono::steady_clock::now();
    const double seconds = std::chrono::duration<double>(now - windowStart_).count();
    Value metrics = Value::Map{};
    for (auto& [name, sum] : logs_) {
      if (sum.count == 0) continue;
      metrics.set(name, sum.total.to(at::kDouble).item<double>() / static_cast<double>(sum.count));
    }
    logs_.clear();
    job_.progress(phase.name, position_.step, steps_, unitsSoFar(phase),
                  seconds > 0 ? static_cast<double>(windowSamples_) / seconds : 0, std::move(metrics), last);
    windowStart_ = now;
    windowSamples_ = 0;
  }

  // The phases share the units of this training by their steps.
  double unitsSoFar(const ErasedPhase& phase) const {
    int64_t before = 0;
    int64_t all = 0;
    for (size_t i = 0; i < phases_.size(); ++i) {
      if (i < position_.phase) before += phases_[i].epochs;
      all += phases_[i].epochs;
    }
    const double done = static_cast<double>(before) + static_cast<double>(phase.epochs) *
                                                          static_cast<double>(position_.step) /
                                                          static_cast<double>(steps_);
    return options_.units * done / static_cast<double>(all);
  }

  struct LogSum {
    at::Tensor total;
    int64_t count = 0;
  };

  Job& job_;
  const ErasedState& state_;
  const std::vector<ErasedPhase>& phases_;
  TrainOptions options_;
  DivergenceGuard guard_;
  uint64_t base_;
  CheckpointEntry& entry_;
  bool random_ = false;
  Position position_;
  PhaseStreams streams_;  // of the phase
  int64_t steps_ = 0;
  std::map<std::string, at::Generator> generators_;
  at::Tensor scale_, growth_;  // float16 only
  StateArchive lastGood_;
  WeightWatch watch_{{}};                 // of the phase
  const NotFinite* answers_ = nullptr;    // what an evaluation found, while the stretch before it is replayed
  std::unique_ptr<Diagnosis> diagnosis_;  // while a bad stretch is replayed
  std::map<std::string, LogSum> logs_;
  std::chrono::steady_clock::time_point windowStart_;
  int64_t windowSamples_ = 0;
};

int64_t StepContext::epoch() const { return trainer_.position_.step / trainer_.streams_.stepsPerEpoch(); }
int64_t StepContext::step() const { return trainer_.position_.step; }
int64_t StepContext::steps() const { return trainer_.steps_; }
int64_t StepContext::stepsPerEpoch() const { return trainer_.streams_.stepsPerEpoch(); }
c10::Device StepContext::device() const { return trainer_.job_.device(); }

at::Tensor StepContext::forward(Model& model, const at::Tensor& inputs, Mode mode) {
  return forward(model, inputs, mode, [&] { return model.trainingLogits(inputs, mode); });
}

at::Tensor StepContext::forward(Model& model, const at::Tensor& inputs, Mode mode,
                                const std::function<at::Tensor()>& run) {
  at::Tensor logits;
  {
    const AutocastScope autocast(trainer_.job_.device().type(), trainer_.options_.precision);
    logits = run();
  }
  if (logits.scalar_type() != at::kDouble) logits = logits.to(at::kFloat);
  if (trainer_.diagnosis_) trainer_.diagnosis_->seeForward(model, inputs, mode, logits);
  return logits;
}

void StepContext::backward(const at::Tensor& loss, const std::vector<at::Tensor>& parameters,
                           const at::Tensor& perSample) {
  const bool scaled = trainer_.scale_.defined();
  (scaled ? loss * trainer_.scale_ : loss)
      .backward({}, /*retain_graph=*/std::nullopt, /*create_graph=*/false, parameters);
  std::vector<at::Tensor> gradients;
  for (const at::Tensor& parameter : parameters) {
    if (parameter.grad().defined()) gradients.push_back(parameter.grad());
  }
  if (scaled) {
    const torch::NoGradGuard noGrad;
    at::_foreach_mul_(gradients, trainer_.scale_.reciprocal());
  }
  trainer_.guard_.watch(loss, gradients, scaled);
  if (trainer_.diagnosis_) trainer_.diagnosis_->seeBackward(loss, parameters, perSample);
}

void StepContext::optimise(Optimizer& optimizer, double learningRate) {
  optimizer.step(learningRate, trainer_.guard_.skip());
}

const at::Tensor& StepContext::skip() const { return trainer_.guard_.skip(); }

at::Generator StepContext::generator(const std::string& name) { return trainer_.generator(name); }

void StepContext::log(const std::string& name, const at::Tensor& value) {
  Trainer::LogSum& sum = trainer_.logs_[name];
  const at::Tensor plain = value.detach();
  sum.total = sum.total.defined() ? sum.total + plain : plain;
  ++sum.count;
}

void trainErased(Job& job, const ErasedState& state, const std::vector<ErasedPhase>& phases,
                 const TrainOptions& options) {
  Trainer(job, state, phases, options).run();
}

}  // namespace espalier
