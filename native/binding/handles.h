#pragma once

#include <memory>
#include <string>

#include "binding/napi_setup.h"
#include "core/convert.h"
#include "core/value.h"

// Handles as JavaScript holds them.
//
// 1. The object keeps a HandlePtr alive until it is disposed of or collected; work copies the pointer when it
//    is submitted, so neither can free what runs.
// 2. The last pointer is let go on the short lane: freeing a large model takes milliseconds.
// 3. An object belongs to the environment that made it, and is recognised by its type tag, never by shape.
// 4. What it holds on the CPU is reported to the garbage collector, which cannot see it otherwise.
namespace espalier::binding {

// A handle with what is known of it; both are made on a lane.
struct Finished {
  HandlePtr handle;
  Value facts;
  int64_t bytes = 0;

  Finished() = default;
  explicit Finished(HandlePtr made);
};

Napi::Object wrap(Napi::Env env, const Finished& finished);

bool isHandle(const Napi::Value& value);
// ERR_INVALID_ARG_TYPE when it is no handle, ERR_DISPOSED when it was disposed of.
HandlePtr unwrap(const Napi::Value& value, const std::string& name);

template <class T>
std::shared_ptr<T> unwrapAs(const Napi::Value& value, const std::string& name) {
  std::shared_ptr<T> target;
  fromValue(target, Value(unwrap(value, name)), name);
  return target;
}

template <class T>
std::shared_ptr<T> unwrapOptional(const Napi::Value& value, const std::string& name) {
  return value.IsNull() || value.IsUndefined() ? nullptr : unwrapAs<T>(value, name);
}

// Takes the pointer out; null when that was done before.
HandlePtr release(const Napi::Value& value);

}  // namespace espalier::binding
