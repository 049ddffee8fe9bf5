#include "core/graph/canonical.h"

#include <sstream>
#include <unordered_map>

#include <torch/csrc/jit/ir/constants.h>

#include "core/error.h"

namespace espalier::ir {

using torch::jit::Block;
using torch::jit::Node;
using torch::jit::Value;
namespace prim = c10::prim;
namespace attr = c10::attr;

namespace {

bool isWrittenInPlace(const Node& node) {
  return node.kind() == prim::Constant || node.kind() == prim::GetAttr ||
         node.kind() == prim::ListConstruct || node.kind() == prim::TupleConstruct;
}

class Writer {
 public:
  explicit Writer(std::vector<at::Tensor>& constants) : constants_(constants) {}

  std::string write(Block* block) {
    writeBlock(block);
    return std::move(out_).str();
  }

 private:
  void writeBlock(Block* block) {
    for (const Value* input : block->inputs()) number(input);
    for (Node* node : block->nodes()) {
      if (!isWrittenInPlace(*node)) writeNode(*node);
    }
    out_ << "return";
    for (const Value* output : block->outputs()) out_ << ' ' << describe(output);
    out_ << '\n';
  }

  void writeNode(const Node& node) {
    out_ << node.kind().toQualString();
    if (node.hasAttribute(attr::name)) out_ << ' ' << node.s(attr::name);
    for (const Value* input : node.inputs()) out_ << ' ' << describe(input);
    for (const Value* output : node.outputs())
      out_ << (output == node.outputs()[0] ? " -> " : " ") << number(output);
    out_ << '\n';
    for (const Block* inner : node.blocks()) {
      out_ << "{\n";
      writeBlock(const_cast<Block*>(inner));
      out_ << "}\n";
    }
  }

  std::string number(const Value* value) {
    return text('%', numbers_.try_emplace(value, numbers_.size()).first->second);
  }

  std::string describe(const Value* value) {
    const Node& node = *value->node();
    if (node.kind() == prim::GetAttr) return text(describe(node.input()), '.', node.s(attr::name));
    if (node.kind() == prim::Constant) return describeConstant(value);
    if (!isWrittenInPlace(node)) return number(value);
    std::string items;
    for (const Value* input : node.inputs()) items += text(items.empty() ? "" : ", ", describe(input));
    return node.kind() == prim::ListConstruct ? text('[', items, ']') : text('(', items, ')');
  }

  std::string describeConstant(const Value* value) {
    const auto constant = torch::jit::toIValue(value);
    if (!constant) return "None";
    if (constant->isTensor() && constant->toTensor().defined()) {
      constants_.push_back(constant->toTensor());
      return "tensor";
    }
    // A graph is prepared for one device; the code is the same for all.
    if (constant->isDevice()) return "device";
    return text(*constant);
  }

  std::vector<at::Tensor>& constants_;
  std::unordered_map<const Value*, size_t> numbers_;
  std::ostringstream out_;
};

}  // namespace

std::string canonicalText(torch::jit::Graph& graph, std::vector<at::Tensor>& constants) {
  return Writer(constants).write(graph.block());
}

}  // namespace espalier::ir
