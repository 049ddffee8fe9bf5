#pragma once

#include "core/method.h"

namespace espalier {

Method attackSourceRepair();

}  // namespace espalier
