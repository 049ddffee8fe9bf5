#pragma once

#include "core/method.h"

namespace espalier {

Method pruneMagnitude();

}  // namespace espalier
