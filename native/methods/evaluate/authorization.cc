#include "methods/evaluate/authorization.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "core/attack/transfer.h"
#include "core/mask.h"
#include "core/random.h"
#include "methods/evaluate/authorization_binding.h"
#include "methods/evaluate/authorization_fields.h"
#include "methods/evaluate/authorization_verdict.h"

// A protected model judged as its buyer would use it: attacks at several numbers of samples and of steps,
// each against training from scratch on the same images, the same of the unprotected model, and controls at
// equal sparsity that were not protected. Curves: Ding et al. 2024, arXiv 2410.08015; the grid over steps,
// the cost factor and the verdict are ours.
namespace espalier {

namespace {

using namespace authorization;

constexpr const char* kName = "evaluate.authorization";
constexpr int64_t kDefaultCounts[] = {15, 60, 250, 1000, 4000};

Value handle(const std::shared_ptr<Model>& model) { return Value(HandlePtr(model)); }
Value handle(const std::shared_ptr<Domain>& domain) { return Value(HandlePtr(domain)); }

std::vector<int64_t> countsOf(const Options& options, const Domain& domain) {
  const int64_t available = domain.fit(kName)->size();
  std::vector<int64_t> counts;
  if (options.counts) {
    counts = *options.counts;
  } else {
    for (const int64_t count : kDefaultCounts) counts.push_back(std::min(count, available));
  }
  std::sort(counts.begin(), counts.end());
  counts.erase(std::unique(counts.begin(), counts.end()), counts.end());
  if (counts.empty() || counts.back() > available) {
    fail(ErrorCode::kOutOfRange, "expected counts of 1 to ", available, " samples (the fit data of domain ",
         domain.name(), "), received ", counts.empty() ? "none" : std::to_string(counts.back()));
  }
  return counts;
}

std::vector<int64_t> stepsOf(const Options& options) {
  std::vector<int64_t> steps = {options.steps};
  for (const double factor : options.stepFactors)
    steps.push_back(std::max<int64_t>(1, std::llround(factor * static_cast<double>(options.steps))));
  std::sort(steps.begin(), steps.end());
  steps.erase(std::unique(steps.begin(), steps.end()), steps.end());
  return steps;
}

// The same images for everybody: a domain a number of samples.
std::vector<std::shared_ptr<Domain>> partsOf(const Domain& domain, const std::vector<int64_t>& counts,
                                             const Options& options, uint64_t seed) {
  DatasetPtr report = domain.report(kName).dataset();
  if (const int64_t count = options.reportSamples.value_or(report->size()); count < report->size())
    report = report->take(count, mixSeed(seed, "report"), /*stratified=*/true);
  std::vector<std::shared_ptr<Domain>> parts;
  for (const FitData& part : nestedSamples(domain.fit(kName), counts, seed))
    parts.push_back(std::make_shared<Domain>(domain.name(), part.dataset(), nullptr, report));
  return parts;
}

class Judge {
 public:
  Judge(const Inputs& inputs, const Options& options, Report& report, Job& job)
      : inputs_(inputs),
        options_(options),
        report_(report),
        job_(job),
        counts_(countsOf(options, *inputs.target)),
        steps_(stepsOf(options)),
        classes_(inputs.target->classes()) {
    inputs.original->requireTrainable(kName);
    inputs.protectedModel->requireTrainable(kName);
    if (inputs.source == inputs.target)
      fail(ErrorCode::kInvalidArgType, kName, ": expected two domains, received one as source and target");
    for (const auto& model : {inputs.original, inputs.protectedModel})
      requireClasses(*model, *inputs.target, *inputs.target->report(kName), "the model");
    static_cast<void>(inputs.source->fit(kName));
    requireClasses(*inputs.original, *inputs.source, *inputs.source->report(kName), "the model");
    if (options.attacks) {
      attacks_ = *options.attacks;
    } else {
      for (const auto& entry : EnumNames<Attack>::kNames) attacks_.push_back(entry.first);
    }
  }

  void run() {
    describeProtection();
    leaveOut();
    planWork();
    report_.steps = options_.steps;
    const auto parts = partsOf(*inputs_.target, counts_, options_, mixSeed(job_.seed(), "samples"));
    const std::shared_ptr<Model> fresh = inputs_.original->reinitialize(mixSeed(job_.seed(), "scratch"));
    report_.scratch = attackWith(Attack::kReleaseMask, fresh, parts, steps_).courses;
    report_.original = attackWith(Attack::kFineTune, inputs_.original, parts, steps_);
    compareWithScratch(report_.original, report_.scratch, options_.steps, classes_);
    for (const Attack attack : attacks_) {
      report_.attacks.push_back(attackWith(attack, inputs_.protectedModel, parts, steps_));
      compareWithScratch(report_.attacks.back(), report_.scratch, options_.steps, classes_);
    }
    for (const auto& other : inputs_.others.value_or(std::vector<std::shared_ptr<Domain>>{}))
      report_.unseen.push_back(measureUnseen(*other, fresh));
    models_ = {inputs_.original, inputs_.protectedModel};
    report_.matrix.models = {"original", "protected"};
    runControl(Control::kMagnitude, parts, [&] { return pruneByMagnitude(); });
    runControl(Control::kTermsOff, parts, [&] { return repeatWithoutTerms(); });
    fillMatrix();
    report_.verdict = judge(report_, classes_);
    report_.verdict.sourceDrop =
        report_.matrix.cells[0][0].published() - report_.matrix.cells[1][0].published();
    describeBinding();
  }

 private:
  // In steps of fine-tuning; a control's own training counts as the longest attack on all samples.
  void planWork() {
    const auto sizes = static_cast<double>(counts_.size());
    const auto longest = static_cast<double>(steps_.back());
    const auto base = static_cast<double>(options_.steps);
    double units = 2 * sizes * longest;
    for (const Attack attack : attacks_) units += sizes * (isCourse(attack) ? longest : base);
    const auto others = inputs_.others ? static_cast<double>(inputs_.others->size()) : 0;
    units += 3 * others * sizes * base;
    units += 2 * (controlUnits() + 2 * sizes * base);
    job_.plan(units);
  }
  double controlUnits() const {
    return static_cast<double>(counts_.size()) * static_cast<double>(steps_.back());
  }

  // Without zeros there is nothing to refill, and what holds them does what releases them does.
  void leaveOut() {
    if (!report_.layers.empty()) return;
    const auto among = [&](Attack attack) {
      return std::find(attacks_.begin(), attacks_.end(), attack) != attacks_.end();
    };
    const auto drop = [&](Attack attack, const char* reason) {
      if (!among(attack)) return;
      report_.leftOut.push_back({attack, reason});
      std::erase(attacks_, attack);
    };
    if (among(Attack::kFineTune)) drop(Attack::kReleaseMask, "no zeros to release: as fine-tune");
    if (among(Attack::kFreshHead)) drop(Attack::kFreshHeadReleased, "no zeros to release: as fresh-head");
    drop(Attack::kRedensify, "no zeros to refill");
  }

  // Fine-tuning can be read on the way.
  static bool isCourse(Attack attack) { return attack < Attack::kSourceRepair; }

  Value trainingOptions(int64_t steps) const {
    return Value::Map{{"steps", steps},
                      {"batchSize", options_.batchSize},
                      {"learningRates", Value::List{options_.learningRate}}};
  }

  Value fineTuneOptions(Attack attack, const std::vector<int64_t>& steps) const {
    Value options = trainingOptions(steps.back());
    Value checkpoints = Value::List{};
    for (const int64_t step : steps) checkpoints.push(step);
    options.set("checkpoints", std::move(checkpoints));
    const bool held = attack == Attack::kFineTune || attack == Attack::kFreshHead;
    options.set("maskHeld", held);
    if (attack == Attack::kFreshHead || attack == Attack::kFreshHeadReleased) options.set("head", "fresh");
    if (attack == Attack::kFreshBatchNorm) options.set("batchNorm", "fresh");
    if (attack == Attack::kFast) options.set("learningRates", Value::List{3 * options_.learningRate});
    if (attack == Attack::kSgd) {
      options.set("optimizer", "sgd");
      options.set("learningRates", Value::List{10 * options_.learningRate});
    }
    return options;
  }

  Value runAttack(Attack attack, const std::shared_ptr<Model>& model, const std::shared_ptr<Domain>& part,
                  const std::vector<int64_t>& steps) {
    Value inputs = Value::Map{{"model", handle(model)}, {"domain", handle(part)}};
    const auto base = static_cast<double>(options_.steps);
    const Value training = trainingOptions(options_.steps);
    switch (attack) {
      case Attack::kSourceRepair:
        inputs.set("source", handle(inputs_.source));
        return job_.run("attack.sourceRepair", inputs, training, base).report;
      case Attack::kRedensify:
        return job_.run("attack.redensify", inputs, training, base).report;
      case Attack::kRetrainHead:
        return job_.run("attack.retrainHead", inputs, training, base).report;
      case Attack::kLinearProbe:
        return job_.run("attack.linearProbe", inputs, Value::Map{}, base).report;
      case Attack::kNearestNeighbour:
        return job_.run("attack.nearestNeighbour", inputs, Value::Map{}, base).report;
      case Attack::kBatchNormAdaptation:
        return job_.run("attack.batchNormAdaptation", inputs, Value::Map{}, base).report;
      default:
        return job_
            .run("attack.fineTune", inputs, fineTuneOptions(attack, steps), static_cast<double>(steps.back()))
            .report;
    }
  }

  AttackCurve attackWith(Attack attack, const std::shared_ptr<Model>& model,
                         const std::vector<std::shared_ptr<Domain>>& parts,
                         const std::vector<int64_t>& steps) {
    AttackCurve curve;
    curve.attack = attack;
    for (const auto& part : parts) {
      const Value figures = runAttack(attack, model, part, steps);
      const Value& cost = figures.at("cost");
      Course course;
      course.samples = part->fit(kName)->size();
      course.labels = cost.at("labels").asInt();
      course.images = cost.at("images").asInt();
      course.seconds = cost.at("seconds").asDouble();
      if (isCourse(attack)) {
        fromValue(course.readings, figures.at("checkpoints"), "checkpoints");
      } else {
        Reading& reading = course.readings.emplace_back();
        reading.steps = cost.at("steps").asInt();
        fromValue(reading.accuracy, figures.at("after"), "after");
      }
      curve.courses.push_back(std::move(course));
    }
    return curve;
  }

  std::optional<double> areaOf(Attack attack, const std::shared_ptr<Model>& model,
                               const std::vector<std::shared_ptr<Domain>>& parts,
                               const std::vector<Course>& scratch) {
    AttackCurve curve = attackWith(attack, model, parts, {options_.steps});
    compareWithScratch(curve, scratch, options_.steps, classes_);
    return areaAfter(curve, options_.steps);
  }

  Unseen measureUnseen(const Domain& other, const std::shared_ptr<Model>& fresh) {
    std::vector<int64_t> counts;
    const int64_t available = other.fit(kName)->size();
    for (const int64_t count : counts_) counts.push_back(std::min(count, available));
    counts.erase(std::unique(counts.begin(), counts.end()), counts.end());
    const auto parts = partsOf(other, counts, options_, mixSeed(job_.seed(), other.name()));
    const std::vector<Course> scratch =
        attackWith(Attack::kReleaseMask, fresh, parts, {options_.steps}).courses;
    Unseen unseen;
    unseen.domain = other.name();
    unseen.areaOriginal = areaOf(Attack::kFineTune, inputs_.original, parts, scratch);
    unseen.areaHeld = areaOf(Attack::kFineTune, inputs_.protectedModel, parts, scratch);
    return unseen;
  }

  // --- the protection, as its zeros and its manifest tell

  void describeProtection() {
    int64_t weights = 0;
    int64_t zeros = 0;
    const std::shared_ptr<Mask> mask = Mask::ofNonZeros(*inputs_.protectedModel);
    for (const Mask::Entry& entry : mask->entries()) {
      LayerZeros layer{entry.path, entry.kept.numel(), entry.kept.logical_not().sum().item<int64_t>()};
      if (layer.zeros == 0) continue;
      weights += layer.weights;
      zeros += layer.zeros;
      report_.layers.push_back(std::move(layer));
    }
    if (weights > 0) report_.sparsity = static_cast<double>(zeros) / static_cast<double>(weights);
    const Value* methods = inputs_.protectedModel->manifest().find("methods");
    if (methods == nullptr) return;
    for (const Value& entry : methods->asList()) {
      if (entry.at("method").asString().rfind("authorize.", 0) != 0) continue;
      protection_ = entry;
      report_.method = entry.at("method").asString();
    }
  }

  // --- controls

  std::shared_ptr<Model> pruneByMagnitude() {
    if (report_.layers.empty())
      fail(ErrorCode::kTargetUnreachable,
           "the protected model has no zero weights: there is no sparsity to equal");
    Value include = Value::List{};
    for (const LayerZeros& layer : report_.layers) include.push(layer.path);
    const int64_t batch = 64;
    const int64_t perEpoch = (inputs_.source->fit(kName)->size() + batch - 1) / batch;
    const Value options = Value::Map{
        {"sparsity", report_.sparsity},
        {"include", std::move(include)},
        {"fineTune",
         Value::Map{{"epochs", std::max<int64_t>(1, (protectingSteps() + perEpoch - 1) / perEpoch)},
                    {"batchSize", batch},
                    {"optimizer", Value::Map{{"kind", "adam"}, {"learningRate", 1e-3}}}}}};
    return job_
        .run("prune.magnitude",
             Value::Map{{"model", handle(inputs_.original)}, {"domain", handle(inputs_.source)}}, options,
             controlUnits())
        .output<Model>("model");
  }

  // As many as the protection took; by its defaults where the manifest does not tell.
  int64_t protectingSteps() const {
    int64_t steps = 1500;
    const Value* options = protection_.isMap() ? protection_.find("options") : nullptr;
    if (options == nullptr) return steps;
    const auto given = [&](const char* name) {
      const Value* value = options->find(name);
      return value != nullptr && !value->isNull() ? value : nullptr;
    };
    if (given("iterations") != nullptr && given("epochsPerIteration") == nullptr) {
      steps = options->at("iterations").asInt() * options->at("stepsPerIteration").asInt() +
              options->at("polishSteps").asInt();
    } else if (given("steps") != nullptr && given("epochs") == nullptr) {
      steps = options->at("steps").asInt();
    }
    return steps;
  }

  // The protecting run with every protecting term off.
  std::shared_ptr<Model> repeatWithoutTerms() {
    if (!protection_.isMap()) {
      fail(ErrorCode::kTargetUnreachable,
           "the protected model does not say how it was protected: give the model that the run returned, or "
           "load it where its full manifest lies beside it (<file>.manifest.json)");
    }
    const std::string& method = report_.method.value();
    Value options = protection_.at("options");
    if (method == "authorize.nonTransferablePruning") {
      options.set("attacker", "none")
          .set("alphaTarget", 0.0)
          .set("lambdaFisher", 0.0)
          .set("strength", "fixed");
      options.set("loss", "ntp");
    } else if (method == "authorize.nonTransferableLearning") {
      requireTarget(options);
      options.set("alpha", 0.0).set("control", false);
    } else if (method == "authorize.maskPruning") {
      options.set("lambda", 0.0).set("controls", false);
    } else {
      fail(ErrorCode::kTargetUnreachable, method, " has no form without its protecting terms");
    }
    return job_.run(method, protectingInputs(), options, controlUnits()).output<Model>("model");
  }

  // The original, and of the domains those that the run read.
  Value protectingInputs() const {
    const Value& given = protection_.at("inputs");
    Value inputs = Value::Map{{"model", handle(inputs_.original)}};
    if (given.find("source") != nullptr) inputs.set("source", handle(inputs_.source));
    if (given.find("target") != nullptr) inputs.set("target", Value::List{handle(inputs_.target)});
    return inputs;
  }

  // The other variants need a key, which is not here.
  void requireTarget(const Value& options) const {
    const std::string& variant = options.at("variant").asString();
    if (variant == "targetSpecified") return;
    fail(ErrorCode::kTargetUnreachable, report_.method.value(), " was run as '", variant,
         "': only as 'targetSpecified' it can be repeated, without a key");
  }

  // A control that cannot run is named, with the reason.
  template <class Make>
  void runControl(Control control, const std::vector<std::shared_ptr<Domain>>& parts, const Make& make) {
    ControlFigures figures;
    figures.control = control;
    try {
      const std::shared_ptr<Model> model = make();
      figures.sparsity = sparsityOver(*model);
      figures.areaHeld = areaOf(Attack::kFineTune, model, parts, report_.scratch);
      figures.areaReleased =
          hasZeros(*model) ? areaOf(Attack::kReleaseMask, model, parts, report_.scratch) : figures.areaHeld;
      models_.push_back(model);
      report_.matrix.models.emplace_back(enumName(control));
    } catch (const Error& error) {
      figures.notRun = error.message();
    }
    report_.controls.push_back(std::move(figures));
  }

  // Over the weights that the protection pruned.
  double sparsityOver(const Model& model) const {
    int64_t weights = 0;
    int64_t zeros = 0;
    const std::shared_ptr<Mask> mask = Mask::ofNonZeros(model);
    for (const Mask::Entry& entry : mask->entries()) {
      const auto same = [&](const LayerZeros& layer) { return layer.path == entry.path; };
      if (std::none_of(report_.layers.begin(), report_.layers.end(), same)) continue;
      weights += entry.kept.numel();
      zeros += entry.kept.logical_not().sum().item<int64_t>();
    }
    return weights > 0 ? static_cast<double>(zeros) / static_cast<double>(weights) : 0;
  }

  static bool hasZeros(const Model& model) {
    const std::shared_ptr<Mask> mask = Mask::ofNonZeros(model);
    return std::any_of(mask->entries().begin(), mask->entries().end(),
                       [](const Mask::Entry& entry) { return !entry.kept.all().item<bool>(); });
  }

  // --- what the binding keeps, takes and needs

  void describeBinding() {
    Binding& binding = report_.binding;
    const std::shared_ptr<Model> original = inputs_.original->to(job_.device());
    const std::shared_ptr<Model> locked = inputs_.protectedModel->to(job_.device());
    const auto change = [&](const Domain& domain) {
      return changeOf(
          pairAnswers(*original, *locked, domain.report(kName), [this] { job_.checkCancelled(); }));
    };
    binding.source = change(*inputs_.source);
    binding.target = change(*inputs_.target);
    for (const AttackCurve& curve : report_.attacks) {
      if (curve.attack == Attack::kFineTune) binding.areaHeld = areaAfter(curve, options_.steps);
      if (curve.attack == Attack::kReleaseMask) binding.areaReleased = areaAfter(curve, options_.steps);
    }
    if (report_.layers.empty() && !binding.areaReleased) binding.areaReleased = binding.areaHeld;
    if (!report_.method) return;
    binding.data = dataNeeded(protection_);
    binding.seconds = secondsTaken(protection_);
    binding.revocable = isRevocable(report_.method.value());
  }

  // --- zero-shot accuracies

  void fillMatrix() {
    std::vector<std::shared_ptr<Domain>> domains = {inputs_.source, inputs_.target};
    if (inputs_.others) domains.insert(domains.end(), inputs_.others->begin(), inputs_.others->end());
    for (const auto& domain : domains) report_.matrix.domains.push_back(domain->name());
    for (const auto& given : models_) {
      const std::shared_ptr<Model> model = given->to(job_.device());
      auto& row = report_.matrix.cells.emplace_back();
      for (const auto& domain : domains)
        row.push_back(countAnswers(*model, domain->report(kName), [this] { job_.checkCancelled(); }));
    }
  }

  const Inputs& inputs_;
  const Options& options_;
  Report& report_;
  Job& job_;
  std::vector<int64_t> counts_;
  std::vector<int64_t> steps_;
  int64_t classes_;
  std::vector<Attack> attacks_;
  Value protection_;  // the manifest's entry of the run that protected; null where it has none
  std::vector<std::shared_ptr<Model>> models_;
};

Output run(const Inputs& inputs, const Options& options, Report& report, Job& job) {
  Judge(inputs, options, report, job).run();
  return {};
}

}  // namespace

Method evaluateAuthorization() { return method(kName, run); }

}  // namespace espalier
