#pragma once

#include "core/method.h"

namespace espalier {

Method authorizeNonTransferableLearning();

}  // namespace espalier
