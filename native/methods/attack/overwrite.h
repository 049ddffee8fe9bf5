#pragma once

#include "core/method.h"

namespace espalier {

Method attackOverwrite();

}  // namespace espalier
