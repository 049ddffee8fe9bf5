#pragma once

#include "core/method.h"

namespace espalier {

Method trainContrastive();

}  // namespace espalier
