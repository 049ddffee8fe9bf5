#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include <torch/types.h>

// Which samples: positions as CPU int64 tensors. What is drawn is in ascending order.
namespace espalier {

// A random order of 0..count-1, the same on every machine.
at::Tensor permutation(int64_t count, uint64_t seed);

std::vector<at::Tensor> splitPositions(int64_t count, const std::vector<double>& fractions, uint64_t seed);

at::Tensor takePositions(const at::Tensor& labels, int64_t classes, int64_t count, uint64_t seed,
                         bool stratified);

// Holds out the samples of the smallest hashes. {kept, held out}
std::pair<at::Tensor, at::Tensor> holdOutPositions(const std::vector<uint64_t>& hashes, double fraction);

// Of a sample's bytes.
uint64_t contentHash(const uint8_t* data, size_t bytes);

}  // namespace espalier
