#pragma once

#include "core/method.h"

namespace espalier {

Method evaluateAccuracy();

}  // namespace espalier
