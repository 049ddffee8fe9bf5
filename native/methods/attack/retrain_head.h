#pragma once

#include "core/method.h"

namespace espalier {

Method attackRetrainHead();

}  // namespace espalier
