#pragma once

#include "core/method.h"

namespace espalier {

Method evaluateSourceTargetDrop();

}  // namespace espalier
