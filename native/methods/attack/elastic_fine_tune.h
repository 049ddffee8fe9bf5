#pragma once

#include "core/method.h"

namespace espalier {

Method attackElasticFineTune();

}  // namespace espalier
