#include "binding/addon.h"
#include "binding/convert.h"
#include "binding/tensors.h"
#include "core/convert.h"
#include "core/data/domain.h"
#include "core/error.h"
#include "core/key.h"
#include "core/patch.h"

namespace espalier::binding {

namespace {

std::shared_ptr<Dataset> datasetOf(const Napi::CallbackInfo& info) {
  return unwrapAs<Dataset>(info[0], "this dataset");
}

std::optional<int64_t> optionalInt(const Napi::Value& value, const std::string& name) {
  std::optional<int64_t> number;
  fromValue(number, fromJs(value, name), name);
  return number;
}

struct SourceFields {
  DatasetSource source;
  template <class V>
  void fields(V&& visit) {
    visit("images", source.images, {.required = true});
    visit("labels", source.labels);
    visit("classes", source.classes, {.min = 1});
  }
};

// { images, labels?, classes? }
Napi::Value datasetOpen(Addon& addon, const Napi::CallbackInfo& info) {
  SourceFields given;
  fromValue(given, fromJs(info[0], ""), "");
  return addon.performHandle(info.Env(), [source = given.source] { return Dataset::open(source); });
}

// samples, labels, classes
Napi::Value datasetFrom(Addon& addon, const Napi::CallbackInfo& info) {
  const at::Tensor samples = tensorFromJs(info[0], "data");
  const at::Tensor labels = tensorFromJs(info[1], "labels");
  const std::optional<int64_t> classes = optionalInt(info[2], "classes");
  return addon.performHandle(info.Env(),
                             [=] { return Dataset::fromTensors(samples, labels.to(c10::kLong), classes); });
}

Napi::Value datasetDigest(Addon& addon, const Napi::CallbackInfo& info) {
  return addon.perform(info.Env(), [dataset = datasetOf(info)](RunControl&) -> Convert {
    return [digest = dataset->digest()](Napi::Env env) { return Napi::String::New(env, digest); };
  });
}

Napi::Value performHandles(Addon& addon, Napi::Env env,
                           std::function<std::vector<std::shared_ptr<Dataset>>()> work) {
  return addon.perform(env, [work = std::move(work)](RunControl&) -> Convert {
    std::vector<Finished> parts;
    for (std::shared_ptr<Dataset>& part : work()) parts.emplace_back(std::move(part));
    return [parts = std::move(parts)](Napi::Env env) {
      Napi::Array array = Napi::Array::New(env, parts.size());
      for (uint32_t i = 0; i < parts.size(); ++i) array.Set(i, wrap(env, parts[i]));
      return array;
    };
  });
}

// dataset, fractions, seed
Napi::Value datasetSplit(Addon& addon, const Napi::CallbackInfo& info) {
  const auto dataset = datasetOf(info);
  std::vector<double> fractions;
  fromValue(fractions, fromJs(info[1], "fractions"), "fractions");
  const auto seed = static_cast<uint64_t>(fromJs(info[2], "seed").asInt());
  return performHandles(addon, info.Env(), [=] { return dataset->split(fractions, seed); });
}

// dataset, fraction -> [kept, held out]
Napi::Value datasetHoldOut(Addon& addon, const Napi::CallbackInfo& info) {
  const auto dataset = datasetOf(info);
  const double fraction = fromJs(info[1], "select").asDouble();
  return performHandles(addon, info.Env(), [=] {
    auto [kept, heldOut] = dataset->holdOut(fraction);
    return std::vector{kept, heldOut};
  });
}

// dataset, count, seed, stratified
Napi::Value datasetTake(Addon& addon, const Napi::CallbackInfo& info) {
  const auto dataset = datasetOf(info);
  const int64_t count = fromJs(info[1], "n").asInt();
  const auto seed = static_cast<uint64_t>(fromJs(info[2], "seed").asInt());
  const bool stratified = fromJs(info[3], "stratified").asBool();
  return addon.performHandle(info.Env(), [=] { return dataset->take(count, seed, stratified); });
}

// A view over the same storage, made without touching a sample: at once.
Napi::Value datasetResize(Addon&, const Napi::CallbackInfo& info) {
  const auto dataset = datasetOf(info);
  const int64_t size = fromJs(info[1], "size").asInt();
  return wrap(info.Env(), Finished(dataset->resize(size, optionalInt(info[2], "channels"))));
}

// Likewise.
Napi::Value datasetPad(Addon&, const Napi::CallbackInfo& info) {
  return wrap(info.Env(), Finished(datasetOf(info)->pad(fromJs(info[1], "size").asInt())));
}

// name, fit, select, report: datasets or null
Napi::Value domainCreate(Addon&, const Napi::CallbackInfo& info) {
  return wrap(info.Env(),
              Finished(std::make_shared<Domain>(
                  fromJs(info[0], "name").asString(), unwrapOptional<Dataset>(info[1], "fit"),
                  unwrapOptional<Dataset>(info[2], "select"), unwrapOptional<Dataset>(info[3], "report"))));
}

// domain, key, { value?, density?, channel? }
Napi::Value domainPatch(Addon& addon, const Napi::CallbackInfo& info) {
  const auto domain = unwrapAs<Domain>(info[0], "this domain");
  const auto key = unwrapAs<Key>(info[1], "key");
  PatchOptions options;
  fromValue(options, fromJs(info[2], "patch"), "patch");
  return addon.performHandle(info.Env(), [=] { return patched(*domain, key->secret("a patch"), options); });
}

// domain -> { name, samples, labels, classes }: its report data, as networks take it
Napi::Value domainReport(Addon& addon, const Napi::CallbackInfo& info) {
  const auto domain = unwrapAs<Domain>(info[0], "this domain");
  return addon.perform(info.Env(), [domain](RunControl&) -> Convert {
    const ReportData report = domain->report("IsolatedModel.evaluate");
    const Batch all = report->gather(torch::arange(report->size(), c10::kLong), c10::kCPU);
    const c10::IValue samples = prepareForJs(all.inputs);
    const c10::IValue labels = prepareForJs(all.labels);
    return [=](Napi::Env env) {
      Napi::Object out = Napi::Object::New(env);
      out.Set("name", domain->name());
      out.Set("samples", ivalueToJs(env, samples));
      out.Set("labels", ivalueToJs(env, labels));
      out.Set("classes", static_cast<double>(domain->classes()));
      return out;
    };
  });
}

}  // namespace

Exports dataExports() {
  return {
      {"datasetOpen", datasetOpen},     {"datasetFrom", datasetFrom},       {"datasetDigest", datasetDigest},
      {"datasetSplit", datasetSplit},   {"datasetHoldOut", datasetHoldOut}, {"datasetTake", datasetTake},
      {"datasetResize", datasetResize}, {"datasetPad", datasetPad},         {"domainCreate", domainCreate},
      {"domainPatch", domainPatch},     {"domainReport", domainReport}};
}

}  // namespace espalier::binding
