#include "methods/evaluate/authorization_binding.h"

#include <algorithm>
#include <cmath>

namespace espalier::authorization {

namespace {

constexpr double kNormal95 = 1.959963984540054;

const Value* findIn(const Value& map, std::string_view name) {
  const Value* found = map.isMap() ? map.find(name) : nullptr;
  return found != nullptr && !found->isNull() ? found : nullptr;
}

int64_t samplesIn(const Value& domain, std::string_view role) {
  const Value* data = findIn(domain, role);
  const Value* samples = data != nullptr ? findIn(*data, "samples") : nullptr;
  return samples != nullptr ? samples->asInt() : 0;
}

// One domain or several; of the fit data a share may have been used.
int64_t imagesOf(const Value* domains, double share) {
  if (domains == nullptr) return 0;
  if (domains->isList()) {
    int64_t all = 0;
    for (const Value& domain : domains->asList()) all += imagesOf(&domain, share);
    return all;
  }
  return std::llround(share * static_cast<double>(samplesIn(*domains, "fit"))) +
         samplesIn(*domains, "select");
}

bool isNamed(const Value* value, std::string_view name) {
  return value != nullptr && value->isString() && value->asString() == name;
}

bool readsTargetLabels(const Value& options) {
  return !isNamed(findIn(options, "targetLabels"), "pseudo") &&
         !isNamed(findIn(options, "variant"), "sourceFree");
}

}  // namespace

DomainChange changeOf(const PublishedPairs& pairs) {
  const PairedAnswers& counts = pairs.published();
  DomainChange change;
  change.before = pairs.first();
  change.after = pairs.second();
  const double before = change.before.published();
  change.lost = before - change.after.published();
  if (before > 0) change.share = change.lost / before;
  const double n = static_cast<double>(counts.samples()) + 2;
  const double lost = static_cast<double>(counts.onlyFirst) + 0.5;
  const double won = static_cast<double>(counts.onlySecond) + 0.5;
  const double center = (lost - won) / n;
  const double half = kNormal95 * std::sqrt((lost + won) - (lost - won) * center) / n;
  change.interval = {std::max(-1.0, center - half), std::min(1.0, center + half)};
  return change;
}

std::optional<DataNeeded> dataNeeded(const Value& entry) {
  const Value* inputs = findIn(entry, "inputs");
  const Value* options = findIn(entry, "options");
  if (inputs == nullptr || options == nullptr) return std::nullopt;
  const Value* share = findIn(*options, "dataFraction");
  const double used = share != nullptr ? share->asDouble() : 1;
  const Value* target = findIn(*inputs, "target");
  DataNeeded needed;
  needed.source = imagesOf(findIn(*inputs, "source"), used);
  needed.target = imagesOf(target, used);
  needed.targetLabels = target != nullptr && readsTargetLabels(*options);
  return needed;
}

std::optional<double> secondsTaken(const Value& entry) {
  const Value* seconds = findIn(entry, "seconds");
  if (seconds == nullptr) return std::nullopt;
  return seconds->asDouble();
}

std::optional<bool> isRevocable(const std::string& method) {
  if (method == "authorize.maskPruning" || method == "authorize.applyMask") return true;
  if (method == "authorize.nonTransferablePruning" || method == "authorize.nonTransferableLearning")
    return false;
  return std::nullopt;
}

}  // namespace espalier::authorization
