#pragma once

#include <string>
#include <vector>

namespace espalier {

// The files of a folder that hold its training data, by the names that the CIFAR archives use.
std::vector<std::string> cifarTrainingFiles(const std::string& folder);

}  // namespace espalier
