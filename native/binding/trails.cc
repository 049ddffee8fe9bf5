#include "binding/addon.h"
#include "binding/convert.h"
#include "core/trail.h"

namespace espalier::binding {

namespace {

// path
Napi::Value trailLoad(Addon& addon, const Napi::CallbackInfo& info) {
  const std::string path = fromJs(info[0], "path").asString();
  return addon.performHandle(info.Env(), [=] { return Trail::load(path); });
}

// trail, path
Napi::Value trailSave(Addon& addon, const Napi::CallbackInfo& info) {
  const auto trail = unwrapAs<Trail>(info[0], "this trail");
  const std::string path = fromJs(info[1], "path").asString();
  return addon.perform(info.Env(), [=](RunControl&) -> Convert {
    trail->save(path);
    return [](Napi::Env env) { return env.Undefined(); };
  });
}

// trail, { density } or { accuracyDrop }
Napi::Value trailPick(Addon& addon, const Napi::CallbackInfo& info) {
  const auto trail = unwrapAs<Trail>(info[0], "this trail");
  const Value by = fromJs(info[1], "options");
  return addon.performHandle(info.Env(), [=] {
    const Value* density = by.find("density");
    return density != nullptr ? trail->pickDensity(density->asDouble())
                              : trail->pickAccuracyDrop(by.at("accuracyDrop").asDouble());
  });
}

}  // namespace

Exports trailExports() {
  return {{"trailLoad", trailLoad}, {"trailSave", trailSave}, {"trailPick", trailPick}};
}

}  // namespace espalier::binding
