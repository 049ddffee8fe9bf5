#pragma once

#include "core/method.h"

namespace espalier {

Method authorizeNonTransferablePruning();

}  // namespace espalier
