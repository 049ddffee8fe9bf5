#pragma once

#include "core/method.h"

namespace espalier {

Method attackLinearProbe();

}  // namespace espalier
