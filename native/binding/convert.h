#pragma once

#include <string>

#include "binding/napi_setup.h"
#include "core/value.h"

// JavaScript <-> core::Value, whatever the struct behind it: the only conversion of options, inputs, facts,
// progress and reports. Tensors are in tensors.h.
namespace espalier::binding {

// undefined and null are null; a number that is whole and safe is an integer; entries that are undefined are
// left out; what handles stand for is taken out of them. `name` stands for the value in messages.
Value fromJs(const Napi::Value& value, const std::string& name);

// Everything but handles.
Napi::Value plainToJs(Napi::Env env, const Value& value);

}  // namespace espalier::binding
