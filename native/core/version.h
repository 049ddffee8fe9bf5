#pragma once

#include <string_view>

namespace espalier {

// That of package.json, which the build reads.
inline constexpr std::string_view kVersion = ESPALIER_VERSION;

}  // namespace espalier
