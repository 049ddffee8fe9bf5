#pragma once

#include <functional>
#include <string>

#include <ATen/core/jit_type.h>

#include "core/archive/inspect.h"

namespace espalier {

// Whether the objects of a pickle are of the classes that their owners' attributes declare. libtorch does not
// look, and reads the attributes of an object by the position that its declared class gives them.
// `classOf` gives the compiled class of a name, null for one that is not TorchScript's. ERR_MODEL_LOAD.
void checkObjects(const PickleRecord& record,
                  const std::function<c10::ClassTypePtr(const std::string&)>& classOf);

}  // namespace espalier
