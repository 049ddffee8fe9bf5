#pragma once
// Precompiled for core, kernels and methods: parsing these headers costs more than compiling any file of
// ours.
#include <algorithm>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include <torch/script.h>
#include <torch/torch.h>
