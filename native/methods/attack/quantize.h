#pragma once

#include "core/method.h"

namespace espalier {

Method attackQuantize();

}  // namespace espalier
