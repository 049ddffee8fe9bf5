#pragma once

#include "core/method.h"

namespace espalier {

Method authorizeRemoveMask();

}  // namespace espalier
