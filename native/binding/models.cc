#include "binding/addon.h"
#include "binding/convert.h"
#include "binding/tensors.h"
#include "core/convert.h"
#include "core/error.h"
#include "core/facts.h"
#include "core/run.h"
#include "core/zoo/zoo.h"

namespace espalier::binding {

namespace {

std::string stringAt(const Napi::CallbackInfo& info, size_t index, const std::string& name) {
  return fromJs(info[index], name).asString();
}

// path, { device, trust, preprocessing? }
Napi::Value modelLoad(Addon& addon, const Napi::CallbackInfo& info) {
  const std::string path = stringAt(info, 0, "path");
  const Value given = fromJs(info[1], "");
  std::string device = given.at("device").asString();
  LoadOptions options;
  options.trust = given.at("trust").asBool();
  if (const Value* preprocessing = given.find("preprocessing")) {
    fromValue(options.preprocessing, *preprocessing, "preprocessing");
  }
  return addon.performHandle(info.Env(), [=]() mutable {
    options.device = parseDevice(device);
    return Model::load(path, options);
  });
}

struct CreateFields {
  CreateOptions options;
  int64_t seed = 0;
  template <class V>
  void fields(V&& visit) {
    visit("architecture", options.architecture, {.required = true});
    visit("classes", options.classes, {.min = 2, .required = true});
    visit("inChannels", options.inChannels, {.min = 1});
    visit("inputSize", options.inputSize, {.min = 1});
    visit("widths", options.widths, {.min = 1});
    visit("normalize", options.normalize);
    visit("seed", seed, {.min = 0, .required = true});
  }
};

// { architecture, classes, inChannels?, inputSize?, widths?, normalize?, seed }
Napi::Value modelCreate(Addon& addon, const Napi::CallbackInfo& info) {
  CreateFields given;
  fromValue(given, fromJs(info[0], ""), "");
  given.options.seed = static_cast<uint64_t>(given.seed);
  return addon.performHandle(info.Env(), [options = given.options] { return createModel(options); });
}

// model, path, manifest: null for what suits the model
Napi::Value modelSave(Addon& addon, const Napi::CallbackInfo& info) {
  const auto model = unwrapAs<Model>(info[0], "this model");
  const std::string path = stringAt(info, 1, "path");
  std::optional<ManifestKind> manifest;
  fromValue(manifest, fromJs(info[2], "manifest"), "manifest");
  return addon.perform(info.Env(), [=](RunControl&) -> Convert {
    model->save(path, manifest);
    return [](Napi::Env env) { return env.Undefined(); };
  });
}

Napi::Value modelClone(Addon& addon, const Napi::CallbackInfo& info) {
  const auto model = unwrapAs<Model>(info[0], "this model");
  return addon.performHandle(info.Env(), [=] { return model->clone(); });
}

// model, device
Napi::Value modelTo(Addon& addon, const Napi::CallbackInfo& info) {
  const auto model = unwrapAs<Model>(info[0], "this model");
  const std::string device = stringAt(info, 1, "device");
  return addon.performHandle(info.Env(), [=] { return model->to(parseDevice(device)); });
}

// model, { seed, keep }
Napi::Value modelReinitialize(Addon& addon, const Napi::CallbackInfo& info) {
  const auto model = unwrapAs<Model>(info[0], "this model");
  const Value given = fromJs(info[1], "");
  const auto seed = static_cast<uint64_t>(given.at("seed").asInt());
  std::vector<std::string> keep;
  fromValue(keep, given.at("keep"), "keep");
  return addon.performHandle(info.Env(), [=] { return model->reinitialize(seed, keep); });
}

// The declared inputs of a model's forward, without self.
std::vector<c10::Argument> forwardArguments(const Model& model) {
  const auto& arguments = model.module().get_method("forward").function().getSchema().arguments();
  return {arguments.begin() + 1, arguments.end()};
}

std::vector<c10::IValue> forwardInputs(const Model& model, const Napi::Array& given) {
  const std::vector<c10::Argument> arguments = forwardArguments(model);
  size_t needed = 0;
  while (needed < arguments.size() && !arguments[needed].default_value()) ++needed;
  if (given.Length() < needed || given.Length() > arguments.size()) {
    fail(ErrorCode::kInvalidArgType, "expected ", needed,
         needed == arguments.size() ? "" : text(" to ", arguments.size()), " values for inputs, received ",
         given.Length());
  }
  std::vector<c10::IValue> inputs;
  for (size_t i = 0; i < arguments.size(); ++i) {
    const auto index = static_cast<uint32_t>(i);
    if (index < given.Length()) {
      inputs.push_back(ivalueFromJs(given.Get(index), arguments[i].type(), text("inputs[", i, "]")));
    } else if (const auto byDefault = arguments[i].default_value()) {
      inputs.push_back(*byDefault);
    }
  }
  return inputs;
}

// model, inputs -> { promise, cancel }
Napi::Value modelForward(Addon& addon, const Napi::CallbackInfo& info) {
  const auto model = unwrapAs<Model>(info[0], "this model");
  std::vector<c10::IValue> inputs = forwardInputs(*model, info[1].As<Napi::Array>());
  return addon.start(info.Env(), shortLane(),
                     [model, inputs = std::move(inputs)](RunControl& control) -> Convert {
                       c10::IValue output = prepareForJs(model->forward(inputs));
                       if (control.cancelled()) throw Cancelled();
                       return [output = std::move(output)](Napi::Env env) { return ivalueToJs(env, output); };
                     });
}

// model, { inputShape? }
Napi::Value modelInspect(Addon& addon, const Napi::CallbackInfo& info) {
  const auto model = unwrapAs<Model>(info[0], "this model");
  std::optional<std::vector<int64_t>> shape;
  if (const Value given = fromJs(info[1], ""); given.find("inputShape") != nullptr) {
    fromValue(shape, given.at("inputShape"), "inputShape", {.min = 0});
  }
  return addon.perform(info.Env(), [=](RunControl&) -> Convert {
    return [found = inspect(*model, shape)](Napi::Env env) { return plainToJs(env, found); };
  });
}

}  // namespace

Exports modelExports() {
  return {{"modelLoad", modelLoad},       {"modelCreate", modelCreate},
          {"modelSave", modelSave},       {"modelClone", modelClone},
          {"modelTo", modelTo},           {"modelReinitialize", modelReinitialize},
          {"modelForward", modelForward}, {"modelInspect", modelInspect}};
}

}  // namespace espalier::binding
