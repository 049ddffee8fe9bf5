#pragma once

#include <memory>
#include <string>
#include <vector>

#include <torch/csrc/jit/api/module.h>
#include <torch/csrc/jit/runtime/interpreter.h>

#include "core/graph/graph.h"

namespace espalier::ir {

// A graph compiled for libtorch's interpreter. Immutable: it may run in several threads at once.
class Program {
 public:
  Program(const std::shared_ptr<torch::jit::Graph>& graph, const std::string& name) : code_(graph, name) {}

  // What the graph returns. The thread's grad mode is restored, whatever the model does to it.
  c10::IValue run(torch::jit::Stack stack) const;

 private:
  torch::jit::Code code_;
};

// What stock PyTorch runs around a module's forward when it is called.
class Hooks {
 public:
  Hooks() = default;
  Hooks(const torch::jit::Module& module, Mode mode);

  void before(const torch::jit::Module& module, std::vector<c10::IValue>& inputs) const;
  c10::IValue after(const torch::jit::Module& module, const std::vector<c10::IValue>& inputs,
                    c10::IValue output) const;
  bool empty() const { return before_.empty() && after_.empty(); }

 private:
  std::vector<Program> before_;
  std::vector<Program> after_;
};

}  // namespace espalier::ir
