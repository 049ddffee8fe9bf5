#pragma once

#include "core/method.h"

namespace espalier {

Method authorizeVerifyOwnership();

}  // namespace espalier
