#pragma once

#include <string_view>

namespace espalier {

// That of package.json; a test compares them.
inline constexpr std::string_view kVersion = "0.1.0";

}  // namespace espalier
