#include "core/method.h"

namespace espalier {

const Method& findMethod(const MethodTable& methods, const std::string& name) {
  for (const Method& method : methods) {
    if (method.name == name) return method;
  }
  fail(ErrorCode::kInvalidArgType, "expected the name of a method, received '", name, "'");
}

}  // namespace espalier
