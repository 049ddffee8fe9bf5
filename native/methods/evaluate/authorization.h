#pragma once

#include "core/method.h"

namespace espalier {

Method evaluateAuthorization();

}  // namespace espalier
