#include "methods/registry.h"

namespace espalier {

const MethodTable& methodRegistry() {
  static const MethodTable* methods = new MethodTable{};
  return *methods;
}

}  // namespace espalier
