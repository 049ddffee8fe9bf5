#include "methods/authorize/verify_ownership.h"

#include <algorithm>
#include <cmath>

#include "core/exact_test.h"
#include "core/key.h"
#include "core/metrics.h"
#include "core/patch.h"
#include "core/random.h"

// Asks a suspect, by its answers alone, whether it is the model that authorize.nonTransferableLearning bound
// to a key: it must be right on plain images and wrong on the same with the key's pattern. McNemar's exact
// test says how likely that is by chance; honest models and other keys say how likely it is otherwise. The
// service is that of Wang et al., ICLR 2022, arXiv 2106.06916; test, criteria and calibration are ours.
namespace espalier {

namespace {

constexpr const char* kName = "authorize.verifyOwnership";

enum class Verdict { kProven, kNotProven, kContradicted };

}  // namespace

template <>
struct EnumNames<Verdict> {
  static constexpr EnumName<Verdict> kNames[] = {{Verdict::kProven, "proven"},
                                                 {Verdict::kNotProven, "notProven"},
                                                 {Verdict::kContradicted, "contradicted"}};
};

namespace {

struct Inputs {
  std::shared_ptr<Model> suspect;
  std::shared_ptr<Key> key;
  std::shared_ptr<Domain> domain;
  std::optional<std::vector<std::shared_ptr<Model>>> honest;
  template <class V>
  void fields(V&& visit) {
    visit("suspect", suspect);
    visit("key", key);
    visit("domain", domain);
    visit("honest", honest);
  }
};

struct Options {
  PatchOptions patch;
  int64_t samples = 500;
  int64_t wrongKeys = 20;
  double level = 1e-6;
  double leastAccuracy = 0.5;
  double leastDrop = 0.5;
  template <class V>
  void fields(V&& visit) {
    visit("patch", patch);
    visit("samples", samples, {.min = 20, .max = 10000000});
    visit("wrongKeys", wrongKeys, {.min = 0, .max = 10000});
    visit("level", level, {.min = 0, .max = 1, .exclusiveMin = true});
    visit("leastAccuracy", leastAccuracy, {.min = 0, .max = 1});
    visit("leastDrop", leastDrop, {.min = 0, .max = 1});
  }
};

// One model under one pattern.
struct Answer {
  PublishedAnswers plain;
  PublishedAnswers patched;
  PublishedPairs pairs;        // plain first
  std::optional<double> drop;  // of the plain accuracy; null where that is 0
  double log10PValue = 0;
  bool claims = false;  // meets all criteria
  template <class V>
  void fields(V&& visit) {
    visit("plain", plain);
    visit("patched", patched);
    visit("pairs", pairs);
    visit("drop", drop);
    visit("log10PValue", log10PValue);
    visit("claims", claims);
  }
};

// What should not claim, and how often it does.
struct Calibration {
  int64_t trials = 0;
  int64_t claims = 0;
  std::vector<double> interval;       // Wilson 95 %, of the rate of claims
  std::optional<double> log10PValue;  // the smallest; null without trials
  std::optional<double> largestDrop;
  std::vector<Answer> answers;
  template <class V>
  void fields(V&& visit) {
    visit("trials", trials);
    visit("claims", claims);
    visit("interval", interval);
    visit("log10PValue", log10PValue);
    visit("largestDrop", largestDrop);
    visit("answers", answers);
  }
};

struct Report {
  Verdict verdict = Verdict::kNotProven;
  std::string patch;  // digest of key and pattern
  int64_t queries = 0;
  double pValue = 1;
  Answer suspect;
  Calibration wrongKeys;
  Calibration honest;
  std::optional<double> rankPValue;  // of the suspect's key among the wrong ones
  template <class V>
  void fields(V&& visit) {
    visit("verdict", verdict);
    visit("patch", patch);
    visit("queries", queries);
    visit("pValue", pValue);
    visit("suspect", suspect);
    visit("wrongKeys", wrongKeys);
    visit("honest", honest);
    visit("rankPValue", rankPValue);
  }
};

struct Output {
  template <class V>
  void fields(V&&) {}
};

class Trial {
 public:
  Trial(const Inputs& inputs, const Options& options, Job& job)
      : inputs_(inputs), options_(options), job_(job), plain_(drawn(*inputs.domain)) {
    total_ = 1 + options.wrongKeys + (inputs.honest ? static_cast<int64_t>(inputs.honest->size()) : 0);
    job.plan(static_cast<double>(total_));
  }

  void run(Report& report) {
    const std::string& secret = inputs_.key->secret(kName);
    const std::shared_ptr<Model> suspect = inputs_.suspect->to(job_.device());
    const std::shared_ptr<Domain> marked = patched(*plain_, secret, options_.patch);
    report.patch = patchDigest(secret, options_.patch);
    report.suspect = ask(*suspect, *marked);
    for (int64_t i = 0; i < options_.wrongKeys; ++i) {
      const uint64_t seed = mixSeed(mixSeed(job_.seed(), "wrong key"), static_cast<uint64_t>(i));
      const std::string other = text("espalier-wrong-key/1 ", seed);
      report.wrongKeys.answers.push_back(ask(*suspect, *patched(*plain_, other, options_.patch)));
    }
    for (const auto& model : inputs_.honest.value_or(std::vector<std::shared_ptr<Model>>{}))
      report.honest.answers.push_back(ask(*model->to(job_.device()), *marked));
    summarise(report.wrongKeys);
    summarise(report.honest);
    conclude(report);
  }

 private:
  // Asked on so many report samples, the same for all.
  std::shared_ptr<Domain> drawn(const Domain& domain) const {
    const ReportData data = domain.report(kName);
    if (options_.samples > data->size()) {
      fail(ErrorCode::kOutOfRange, kName, ": expected at most ", data->size(),
           " samples (the report data of domain ", domain.name(), "), received ", options_.samples);
    }
    return std::make_shared<Domain>(
        domain.name(), nullptr, nullptr,
        data->take(options_.samples, mixSeed(job_.seed(), "samples"), /*stratified=*/true));
  }

  Answer ask(const Model& model, const Domain& marked) {
    requireClassifier(model, *plain_->report(kName), text("domain ", plain_->name()));
    job_.progress("ask", done_, total_, 0, /*samplesPerSecond=*/0, Value::Map{});
    Answer answer;
    answer.pairs =
        pairAnswers(model, plain_->report(kName), marked.report(kName), [this] { job_.checkCancelled(); });
    answer.plain = answer.pairs.first();
    answer.patched = answer.pairs.second();
    const PairedAnswers& counts = answer.pairs.published();
    answer.log10PValue = log10McNemar(counts.onlyFirst, counts.onlySecond);
    if (counts.first().right > 0) answer.drop = 1 - counts.second().accuracy() / counts.first().accuracy();
    answer.claims = counts.first().accuracy() >= options_.leastAccuracy &&
                    answer.log10PValue < std::log10(options_.level) &&
                    answer.drop.value_or(0) >= options_.leastDrop;
    ++done_;
    job_.finishUnits(1);
    return answer;
  }

  static void summarise(Calibration& calibration) {
    for (const Answer& answer : calibration.answers) {
      ++calibration.trials;
      if (answer.claims) ++calibration.claims;
      calibration.log10PValue = std::min(calibration.log10PValue.value_or(0), answer.log10PValue);
      if (answer.drop) {
        calibration.largestDrop =
            std::max(calibration.largestDrop.value_or(answer.drop.value()), answer.drop.value());
      }
    }
    calibration.interval = wilsonInterval(calibration.claims, calibration.trials);
  }

  static void conclude(Report& report) {
    report.queries = 2 * report.suspect.pairs.published().samples();
    report.pValue = std::pow(10, report.suspect.log10PValue);
    const std::vector<Answer>& wrong = report.wrongKeys.answers;
    if (!wrong.empty()) {
      const auto beaten = std::count_if(wrong.begin(), wrong.end(), [&](const Answer& other) {
        return other.log10PValue <= report.suspect.log10PValue;
      });
      report.rankPValue = static_cast<double>(1 + beaten) / static_cast<double>(1 + wrong.size());
    }
    const bool others = report.wrongKeys.claims + report.honest.claims > 0;
    if (report.suspect.claims) report.verdict = others ? Verdict::kContradicted : Verdict::kProven;
  }

  const Inputs& inputs_;
  const Options& options_;
  Job& job_;
  std::shared_ptr<Domain> plain_;
  int64_t total_ = 1;
  int64_t done_ = 0;
};

Output run(const Inputs& inputs, const Options& options, Report& report, Job& job) {
  Trial(inputs, options, job).run(report);
  return {};
}

}  // namespace

Method authorizeVerifyOwnership() { return method(kName, run); }

}  // namespace espalier
