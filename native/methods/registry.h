#pragma once

#include "core/method.h"

namespace espalier {

// Every method, listed explicitly.
const MethodTable& methodRegistry();

}  // namespace espalier
