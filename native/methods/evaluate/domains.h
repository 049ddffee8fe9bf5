#pragma once

#include "core/method.h"

namespace espalier {

Method evaluateDomains();

}  // namespace espalier
