#pragma once

#include <fnmatch.h>
#include <string>

namespace espalier {

// Shell patterns over paths such as "layer1.0.conv.weight": * (dots included), ?, [...].
inline bool matchesGlob(const std::string& pattern, const std::string& path) {
  return fnmatch(pattern.c_str(), path.c_str(), 0) == 0;
}

}  // namespace espalier
