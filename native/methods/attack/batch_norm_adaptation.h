#pragma once

#include "core/method.h"

namespace espalier {

Method attackBatchNormAdaptation();

}  // namespace espalier
