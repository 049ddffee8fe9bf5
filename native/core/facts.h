#pragma once

#include <optional>
#include <vector>

#include "core/model.h"
#include "core/value.h"

namespace espalier {

// What never changes about a handle, for its properties in the API:
// Model { device, layers, parameters, buffers }, Dataset { length, shape, classes },
// Domain { name, classes, shape, roles }.
Value factsOf(const Handle& handle);

// What a look into a model finds: zeros per parameter, what each layer call and each other product (path
// null) costs for one input of `inputShape`, what the graph analysis could not follow, the manifest.
Value inspect(const Model& model, const std::optional<std::vector<int64_t>>& inputShape);

}  // namespace espalier
