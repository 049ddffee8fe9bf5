#pragma once

#include "core/method.h"

namespace espalier {

Method authorizeApplyMask();

}  // namespace espalier
