#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <torch/types.h>

namespace espalier {

// What turns samples as stored into inputs, as a value: steps in order, then numbers as a network takes them.
class Transform {
 public:
  // Each refuses, with the reason, what the shape so far does not allow; a step that changes nothing is none.
  Transform pad(int64_t size) const;
  Transform resize(int64_t size) const;
  Transform repeatChannel(int64_t channels) const;
  // Adds `pattern`, float of the shape so far, and saturates at 1, the lightest value. `name` stands for it
  // in descriptions.
  Transform overlay(at::Tensor pattern, std::string name) const;

  Transform(at::ScalarType type, std::vector<int64_t> sampleShape)
      : type_(type), shape_(std::move(sampleShape)) {}
  const std::vector<int64_t>& shape() const { return shape_; }  // after all steps
  // [n, ...] as stored to inputs: uint8 to float32 in [0, 1], int32 to int64.
  at::Tensor operator()(at::Tensor samples) const;
  // "pad 32, channels 3"; part of a dataset's digest.
  std::string describe() const;

 private:
  enum class Kind { kPad, kResize, kChannels, kOverlay };
  struct Step {
    Kind kind;
    int64_t value;
    at::Tensor pattern = {};  // of an overlay
    std::string name = {};
  };
  Transform with(const Step& step) const;
  void requireImages(const char* what, int64_t size) const;

  at::ScalarType type_;
  std::vector<int64_t> shape_;
  std::vector<Step> steps_;
};

}  // namespace espalier
