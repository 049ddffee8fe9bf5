#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/model.h"

namespace espalier {

struct Normalize {
  std::vector<double> mean;
  std::vector<double> std;
  template <class V>
  void fields(V&& visit) {
    visit("mean", mean);
    visit("std", std, {.min = 0, .exclusiveMin = true});
  }
};

enum class Architecture { kLenet5, kConvnet, kVgg11, kResnet20, kResnet18 };
template <>
struct EnumNames<Architecture> {
  static constexpr EnumName<Architecture> kNames[] = {{Architecture::kLenet5, "lenet5"},
                                                      {Architecture::kConvnet, "convnet"},
                                                      {Architecture::kVgg11, "vgg11"},
                                                      {Architecture::kResnet20, "resnet20"},
                                                      {Architecture::kResnet18, "resnet18"}};
};

struct CreateOptions {
  Architecture architecture = Architecture::kConvnet;
  int64_t classes = 10;
  int64_t inChannels = 3;
  int64_t inputSize = 32;
  std::optional<std::vector<int64_t>> widths{};  // channels a block; convnet and vgg11 only
  std::optional<Normalize> normalize{};          // built into the graph
  uint64_t seed = 0;
};

// The TorchScript module alone. ERR_INVALID_ARG_TYPE and ERR_OUT_OF_RANGE name the option.
//
// lenet5    conv1, conv2, fc1, fc2, fc3; ReLU and max-pooling; inputs of inputSize only
// convnet   blocks.N.{conv,bn}, max-pooling between blocks, average pool, fc
// vgg11     features.N (torchvision's vgg11_bn), average pool, classifier: one linear layer
// resnet20  He et al. for CIFAR, 16/32/64, shortcuts without parameters (their option A, padded at the end)
// resnet18  torchvision's names; a 3x3 stem without pooling up to 64 pixels, the 7x7 one above
torch::jit::Module authorModule(const CreateOptions& options);

// A classifier authored as TorchScript (scripted, switchable train/eval), with PyTorch's default
// initialisation. Convolutions before a norm have no bias. Manifest: { architecture: {...} }.
std::shared_ptr<Model> createModel(const CreateOptions& options);

}  // namespace espalier
