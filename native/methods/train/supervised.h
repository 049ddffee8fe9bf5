#pragma once

#include "core/method.h"

namespace espalier {

Method trainSupervised();

}  // namespace espalier
