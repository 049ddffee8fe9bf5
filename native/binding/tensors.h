#pragma once

#include <string>

#include <torch/script.h>

#include "binding/napi_setup.h"

// JavaScript <-> what a TorchScript forward takes and returns. Everything is copied: JavaScript may write
// into its arrays, or transfer them, while native code works.
namespace espalier::binding {

// { data, shape, dtype? }: checks dtype, length == product(shape), not detached.
at::Tensor tensorFromJs(const Napi::Value& value, const std::string& name);

// A value as the argument type `type` wants it: a whole number may be an int or a float, an array a list or a
// tuple.
c10::IValue ivalueFromJs(const Napi::Value& value, const c10::TypePtr& type, const std::string& name);

// Tensors on the CPU and contiguous, so that ivalueToJs has only to copy; on a lane.
c10::IValue prepareForJs(const c10::IValue& value);
Napi::Value ivalueToJs(Napi::Env env, const c10::IValue& value);

}  // namespace espalier::binding
