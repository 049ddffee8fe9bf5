#include "core/attack/measure.h"

#include <functional>

namespace espalier {

namespace {

// Called before each batch; says at once that the phase begins.
std::function<void()> progressOf(Job& job, const std::string& phase, int64_t batches, double units) {
  return [&job, phase, batches, units, done = int64_t{0}]() mutable {
    job.checkCancelled();
    const double share = static_cast<double>(done) / static_cast<double>(batches);
    job.progress(phase, done, batches, units * share, /*samplesPerSecond=*/0, Value::Map{},
                 /*now=*/done == 0);
    ++done;
  };
}

template <class Data>
Value answersOnce(const Model& model, const Data& data, const std::string& phase, double units, Job& job) {
  const auto tick = progressOf(job, phase, answerBatches(model, *data), units);
  Value answers = job.memo("answers", [&] { return toValue(countAnswers(model, data, tick)); });
  job.finishUnits(units);
  // No trainer does it here; a measurement counts as a step.
  if (job.checkpointDue(static_cast<int64_t>(job.ordinal()))) job.writeCheckpointBehind();
  return answers;
}

}  // namespace

Answers measureAnswers(const Model& model, const SelectData& data, const std::string& phase, double units,
                       Job& job) {
  Answers answers;
  fromValue(answers, answersOnce(model, data, phase, units, job), "answers");
  return answers;
}

PublishedAnswers measureAnswers(const Model& model, const ReportData& data, const std::string& phase,
                                double units, Job& job) {
  PublishedAnswers answers;
  fromValue(answers, answersOnce(model, data, phase, units, job), "answers");
  return answers;
}

}  // namespace espalier
