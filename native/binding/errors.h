#pragma once

#include <exception>
#include <string>
#include <utility>
#include <vector>

#include "binding/handles.h"
#include "binding/napi_setup.h"
#include "core/value.h"

namespace espalier::binding {

// What went wrong, ready to cross to JavaScript, where it becomes the class that belongs to its code.
struct Failure {
  std::string code;  // "ERR_...", or "CANCELLED"
  std::string message;
  Value details;
  std::vector<std::pair<std::string, Finished>> handles;  // among the details
};

Failure describeException(const std::exception_ptr& exception) noexcept;

// An Error with `code` and `details`.
Napi::Error toJs(Napi::Env env, const Failure& failure);

}  // namespace espalier::binding
