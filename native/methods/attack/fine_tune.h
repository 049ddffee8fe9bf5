#pragma once

#include "core/method.h"

namespace espalier {

Method attackFineTune();

}  // namespace espalier
