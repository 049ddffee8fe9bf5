#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/convert.h"
#include "core/value.h"

namespace espalier {

class Job;

// What a method returns: a map of handles (model, mask, key, trail) and the figures of its report.
struct MethodResult {
  Value outputs = Value::Map{};
  Value report = Value::Map{};

  template <class Noun>
  std::shared_ptr<Noun> output(std::string_view name) const {
    std::shared_ptr<Noun> handle;
    fromValue(handle, outputs.at(name), std::string(name));
    return handle;
  }
};

// A method as the registry lists it, with its types erased.
struct Method {
  std::string name;  // "family.method"
  // { inputs, options, report, outputs }: the schemas (convert.h) that the drift test compares.
  std::function<Value()> schema;
  // Checks both against the schema, fills in defaults, runs.
  std::function<MethodResult(const Value& inputs, const Value& options, Job& job)> run;
  // The options with their defaults filled in, secrets blanked: for reports, manifests and identities.
  std::function<Value(const Value& options)> resolveOptions;
};

using MethodTable = std::vector<Method>;

// ERR_INVALID_ARG_TYPE where no method has that name.
const Method& findMethod(const MethodTable& methods, const std::string& name);

// Erases the types of `Output run(const Inputs&, const Options&, Report&, Job&)`, four structs with fields().
template <class Inputs, class Options, class Report, class Output>
Method method(std::string name, Output (*run)(const Inputs&, const Options&, Report&, Job&)) {
  Method erased;
  erased.name = std::move(name);
  erased.schema = [] {
    return Value(Value::Map{{"inputs", describe(Inputs{})},
                            {"options", describe(Options{})},
                            {"report", describe(Report{})},
                            {"outputs", describe(Output{})}});
  };
  erased.run = [run](const Value& inputValue, const Value& optionValue, Job& job) {
    Inputs inputs;
    Options options;
    Report report;
    fromValue(inputs, inputValue, "");
    fromValue(options, optionValue, "");
    Output output = run(inputs, options, report, job);
    return MethodResult{toValue(output), toValue(report)};
  };
  erased.resolveOptions = [](const Value& optionValue) {
    Options options;
    fromValue(options, optionValue, "");
    return toValue(options);
  };
  return erased;
}

}  // namespace espalier
