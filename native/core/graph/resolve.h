#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include <torch/csrc/jit/api/module.h>
#include <torch/csrc/jit/ir/ir.h>

namespace espalier::ir {

// An attribute of the module or of a submodule.
struct Attribute {
  std::string path;  // "features.0.weight"
  c10::IValue value;
};

// Where a weight comes from.
struct WeightSource {
  std::string path;  // "" for a constant of the code
  at::Tensor tensor;
  bool transposed = false;  // the operator reads tensor.t()
};

// The path without its last name: "features.0" for "features.0.weight", "" for "weight".
std::string parentPath(std::string_view path);

// Follows values of a graph back through attribute reads to the module that is its first input.
class Resolver {
 public:
  Resolver(const torch::jit::Module& module, const torch::jit::Graph& graph);

  std::optional<Attribute> attribute(const torch::jit::Value* value) const;
  // A tensor that reaches `value` unchanged, but for casts and a transposition; otherwise `reason` says what
  // stands between.
  std::optional<WeightSource> weight(const torch::jit::Value* value, std::string& reason) const;
  // The same for a list of tensors (an LSTM's weights).
  std::optional<std::vector<WeightSource>> weights(const torch::jit::Value* value, std::string& reason) const;

  // Every path of the module at which this tensor stands.
  const std::vector<std::string>& paths(const at::Tensor& tensor) const;
  bool isParameter(const at::Tensor& tensor) const;

 private:
  std::optional<WeightSource> element(const torch::jit::Node& getItem, std::string& reason) const;

  torch::jit::Module module_;
  const torch::jit::Value* self_;
  std::unordered_map<const c10::TensorImpl*, std::vector<std::string>> paths_;
  std::unordered_map<const c10::TensorImpl*, bool> parameters_;
};

}  // namespace espalier::ir
