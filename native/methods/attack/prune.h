#pragma once

#include "core/method.h"

namespace espalier {

Method attackPrune();

}  // namespace espalier
