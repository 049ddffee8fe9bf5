#pragma once

// The only place that includes napi.h; the build sets its switches:
// - NAPI_CPP_EXCEPTIONS: JavaScript exceptions are C++ exceptions here.
// - NODE_API_SWALLOW_UNTHROWABLE_EXCEPTIONS: in an environment that is closing nothing can be thrown any
// more.
#include <napi.h>
