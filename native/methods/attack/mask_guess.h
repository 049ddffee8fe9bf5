#pragma once

#include "core/method.h"

namespace espalier {

Method attackMaskGuess();

}  // namespace espalier
