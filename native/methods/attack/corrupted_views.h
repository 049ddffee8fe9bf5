#pragma once

#include "core/method.h"

namespace espalier {

Method attackCorruptedViews();

}  // namespace espalier
