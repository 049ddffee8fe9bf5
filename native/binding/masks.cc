#include "binding/addon.h"
#include "binding/convert.h"
#include "core/mask.h"

namespace espalier::binding {

namespace {

// path
Napi::Value maskLoad(Addon& addon, const Napi::CallbackInfo& info) {
  const std::string path = fromJs(info[0], "path").asString();
  return addon.performHandle(info.Env(), [=] { return Mask::load(path); });
}

// mask, path
Napi::Value maskSave(Addon& addon, const Napi::CallbackInfo& info) {
  const auto mask = unwrapAs<Mask>(info[0], "this mask");
  const std::string path = fromJs(info[1], "path").asString();
  return addon.perform(info.Env(), [=](RunControl&) -> Convert {
    mask->save(path);
    return [](Napi::Env env) { return env.Undefined(); };
  });
}

// model
Napi::Value maskOf(Addon& addon, const Napi::CallbackInfo& info) {
  const auto model = unwrapAs<Model>(info[0], "model");
  return addon.performHandle(info.Env(), [=] { return Mask::ofNonZeros(*model); });
}

}  // namespace

Exports maskExports() { return {{"maskLoad", maskLoad}, {"maskSave", maskSave}, {"maskOf", maskOf}}; }

}  // namespace espalier::binding
