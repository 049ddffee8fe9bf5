#pragma once

#include <string>
#include <string_view>

#include "core/error.h"

namespace espalier {

// Called while an exception is handled: turns what libtorch threw while `doing` into an Error with the first
// line of its message and the line of the model's source, without the C++ backtrace. An Error passes as it
// is; memory that could not be had is ERR_OUT_OF_MEMORY.
[[noreturn]] void failFromTorch(ErrorCode code, std::string_view doing);

}  // namespace espalier
