#pragma once

#include "core/method.h"

namespace espalier {

Method attackRedensify();

}  // namespace espalier
