#pragma once

#include "core/method.h"

namespace espalier {

Method pruneLearnedThreshold();

}  // namespace espalier
