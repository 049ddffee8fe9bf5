#pragma once

#include "core/method.h"

namespace espalier {

Method authorizeMaskPruning();

}  // namespace espalier
