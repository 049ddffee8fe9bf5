#include "core/job.h"

#include <algorithm>

#include "core/model.h"
#include "core/random.h"

namespace espalier {

namespace {
constexpr auto kProgressInterval = std::chrono::milliseconds(100);
constexpr double kCheckpointSeconds = 60;

double secondsSince(std::chrono::steady_clock::time_point then) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - then).count();
}
}  // namespace

// Lists and literals may stand in a handle's place.
static Value describeInput(const Value& input) {
  if (input.isHandle()) return input.asHandle()->describe();
  if (input.isList()) {
    Value list = Value::List{};
    for (const Value& item : input.asList()) list.push(describeInput(item));
    return list;
  }
  return input;
}

Value describeInputs(const Value& inputs) {
  Value out = Value::Map{};
  for (const Value::Entry& entry : inputs.asMap()) {
    if (!entry.second.isNull()) out.set(entry.first, describeInput(entry.second));
  }
  return out;
}

Job::Job(RunContext& context, CheckpointNode& node, std::string method, uint64_t seed, double begin,
         double span)
    : context_(context), node_(node), method_(std::move(method)), seed_(seed), begin_(begin), span_(span) {
  node_.method = method_;
}

void Job::checkCancelled() const {
  if (context_.control.cancelled()) throw Cancelled();
}

// Whoever reads the report did not start the sub-run, and would take its warning for one of his own run.
void Job::warn(std::string message) {
  const bool own = method_ == context_.request.method;
  context_.warnings.push_back(own ? std::move(message) : text("in its run of ", method_, ": ", message));
}

bool Job::progressDue() const {
  return std::chrono::steady_clock::now() - context_.lastProgress >= kProgressInterval;
}

void Job::reach(double unitsSoFar) {
  const double fraction = std::min(1.0, begin_ + span_ * (doneUnits_ + unitsSoFar) / plannedUnits_);
  context_.fraction = std::max(context_.fraction, fraction);
}

void Job::progress(const std::string& phase, int64_t step, int64_t steps, double unitsSoFar,
                   double samplesPerSecond, Value metrics, bool now) {
  if (!now && !progressDue()) return;
  context_.lastProgress = std::chrono::steady_clock::now();
  Progress progress;
  progress.method = method_;
  progress.phase = phase;
  progress.step = step;
  progress.steps = steps;
  // What is done between the steps of a training (select data evaluated) does not count the steps.
  reach(unitsSoFar);
  progress.fraction = context_.fraction;
  progress.elapsedMs = secondsSince(context_.start) * 1000;
  if (context_.fractionAtStart < 0) context_.fractionAtStart = progress.fraction;
  const double done = progress.fraction - context_.fractionAtStart;
  if (done > 0) progress.etaMs = progress.elapsedMs * (1 - progress.fraction) / done;
  progress.samplesPerSecond = samplesPerSecond;
  progress.metrics = std::move(metrics);
  context_.control.progress(progress);
}

MethodResult Job::run(const std::string& method, const Value& inputs, const Value& options, double units) {
  checkCancelled();
  const size_t ordinal = node_.next;
  CheckpointEntry& entry = node_.enter(method);
  if (!entry.finished) {
    if (!entry.child) entry.child = std::make_unique<CheckpointNode>();
    // 53 bits: a seed that a caller can give, so that a sub-run can be repeated by itself.
    Job child(context_, *entry.child, method, mixSeed(mixSeed(seed_, method), ordinal) >> 11,
              begin_ + span_ * doneUnits_ / plannedUnits_, span_ * units / plannedUnits_);
    MethodResult result = findMethod(context_.methods, method).run(inputs, options, child);
    entry.finished = true;
    entry.child.reset();
    entry.outputs = std::move(result.outputs);
    entry.value = std::move(result.report);
  }
  finishUnits(units);
  MethodResult result{entry.outputs, entry.value};
  // Without checkpoints nobody asks for it again, and a model may be large.
  if (!writesCheckpoints()) entry.outputs = Value();
  return result;
}

Value Job::memo(const std::string& key, const std::function<Value()>& compute) {
  checkCancelled();
  CheckpointEntry& entry = node_.enter(key);
  if (!entry.finished) {
    entry.value = compute();
    entry.finished = true;
  }
  return entry.value;
}

bool Job::checkpointDue(int64_t step) const {
  const auto& options = context_.request.run.checkpoint;
  if (!options) return false;
  if (options->everySteps && step % *options->everySteps == 0) return true;
  const bool byTime = options->everySeconds.has_value() || !options->everySteps;
  return byTime &&
         secondsSince(context_.lastCheckpoint) >= options->everySeconds.value_or(kCheckpointSeconds);
}

void Job::writeCheckpointNow() {
  if (!writesCheckpoints()) return;
  writeCheckpointBehind();
  try {
    context_.writer.finish();
  } catch (const Error& error) {
    if (context_.request.run.checkpoint.value().onWriteError == OnWriteError::kStop) throw;
    warnOfCheckpoint(error);
  }
}

void Job::writeCheckpointBehind() {
  const std::optional<CheckpointOptions>& options = context_.request.run.checkpoint;
  if (!options) return;
  context_.lastCheckpoint = std::chrono::steady_clock::now();
  try {
    context_.writer.finish();
  } catch (const Error& error) {
    if (options->onWriteError == OnWriteError::kStop) throw;
    warnOfCheckpoint(error);
  }
  context_.writer.begin(options->path, imageOf(context_.identity, *context_.root), options->keep);
}

void Job::endCheckpoints() {
  try {
    context_.writer.finish();
  } catch (const Error& error) {
    warnOfCheckpoint(error);
  }
}

// Once, however often it happens.
void Job::warnOfCheckpoint(const Error& error) {
  std::string warning = text("a checkpoint was not written: ", error.message());
  const std::vector<std::string>& told = context_.warnings;
  if (std::find(told.begin(), told.end(), warning) == told.end())
    context_.warnings.push_back(std::move(warning));
}

std::string Job::checkpointPath() const {
  return context_.request.run.checkpoint ? context_.request.run.checkpoint->path : std::string();
}

}  // namespace espalier
