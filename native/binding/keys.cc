#include "binding/addon.h"
#include "binding/convert.h"
#include "core/key.h"

namespace espalier::binding {

namespace {

Napi::Value keyCreate(Addon& addon, const Napi::CallbackInfo& info) {
  return addon.performHandle(info.Env(), [] { return Key::create(); });
}

// path
Napi::Value keyLoad(Addon& addon, const Napi::CallbackInfo& info) {
  const std::string path = fromJs(info[0], "path").asString();
  return addon.performHandle(info.Env(), [=] { return Key::load(path); });
}

// key, path
Napi::Value keySave(Addon& addon, const Napi::CallbackInfo& info) {
  const auto key = unwrapAs<Key>(info[0], "this key");
  const std::string path = fromJs(info[1], "path").asString();
  return addon.perform(info.Env(), [=](RunControl&) -> Convert {
    key->save(path);
    return [](Napi::Env env) { return env.Undefined(); };
  });
}

}  // namespace

Exports keyExports() { return {{"keyCreate", keyCreate}, {"keyLoad", keyLoad}, {"keySave", keySave}}; }

}  // namespace espalier::binding
