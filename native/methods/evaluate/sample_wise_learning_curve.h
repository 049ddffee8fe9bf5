#pragma once

#include "core/method.h"

namespace espalier {

Method evaluateSampleWiseLearningCurve();

}  // namespace espalier
