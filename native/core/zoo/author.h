#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <torch/script.h>

namespace espalier {

// Writes layers as TorchScript classes, in one compilation unit, with the parameter names of torch.nn.
// Weights are left uninitialised: initialize() fills them once their paths are known.
class Author {
 public:
  struct Convolution {
    int64_t kernel = 3;
    int64_t stride = 1;
    int64_t padding = 1;
    bool bias = false;
  };

  // An empty class with its own `training` flag. Register children first, then define() its forward.
  torch::jit::Module module(const std::string& name) const;
  torch::jit::Module conv2d(int64_t in, int64_t out, const Convolution& shape) const;
  torch::jit::Module batchNorm2d(int64_t channels) const;
  torch::jit::Module linear(int64_t in, int64_t out) const;
  torch::jit::Module relu() const;
  torch::jit::Module maxPool2d(int64_t kernel, int64_t stride, int64_t padding) const;
  // (x - mean) / std a channel, as buffers.
  torch::jit::Module normalize(const std::vector<double>& mean, const std::vector<double>& std) const;
  // Children are named "0", "1", ..., forward calls them in order.
  torch::jit::Module sequential(const std::vector<torch::jit::Module>& children) const;

  static void initialize(const torch::jit::Module& root, uint64_t seed);

 private:
  std::shared_ptr<torch::jit::CompilationUnit> unit_ = std::make_shared<torch::jit::CompilationUnit>();
};

}  // namespace espalier
