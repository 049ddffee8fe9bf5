#pragma once
// Precompiled for all native code: parsing these headers costs more than compiling any file of ours. Not
// torch/torch.h: every file would pay eight seconds for the nn modules that come with it.
#include <algorithm>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include <torch/cuda.h>
#include <torch/script.h>
#include <torch/utils.h>
