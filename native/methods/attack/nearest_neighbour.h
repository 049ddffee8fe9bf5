#pragma once

#include "core/method.h"

namespace espalier {

Method attackNearestNeighbour();

}  // namespace espalier
