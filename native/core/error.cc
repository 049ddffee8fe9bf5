#include "core/error.h"

#include <array>

namespace espalier {

namespace {
constexpr std::array<std::string_view, 18> kErrorCodeNames = {
    "ERR_INVALID_ARG_TYPE",
    "ERR_OUT_OF_RANGE",
    "ERR_MODEL_LOAD",
    "ERR_MODEL_UNSAFE",
    "ERR_MODEL_UNSUPPORTED",
    "ERR_MODEL_RUN",
    "ERR_MODEL_SAVE",
    "ERR_DATA_INVALID",
    "ERR_IO",
    "ERR_CHECKPOINT_INVALID",
    "ERR_CHECKPOINT_MISMATCH",
    "ERR_DIVERGED",
    "ERR_TARGET_UNREACHABLE",
    "ERR_LIMIT_EXCEEDED",
    "ERR_DEVICE_UNAVAILABLE",
    "ERR_OUT_OF_MEMORY",
    "ERR_DISPOSED",
    "ERR_INTERNAL",
};
static_assert(kErrorCodeNames.size() == static_cast<size_t>(ErrorCode::kInternal) + 1);
}  // namespace

std::string_view errorCodeName(ErrorCode code) { return kErrorCodeNames[static_cast<size_t>(code)]; }

}  // namespace espalier
