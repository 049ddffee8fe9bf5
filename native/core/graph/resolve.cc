#include "core/graph/resolve.h"

#include <torch/csrc/jit/ir/constants.h>

#include "core/error.h"

namespace espalier::ir {

using torch::jit::Node;
using torch::jit::Value;
namespace prim = c10::prim;
namespace aten = c10::aten;
namespace attr = c10::attr;

std::string parentPath(std::string_view path) {
  const size_t dot = path.rfind('.');
  return std::string(dot == std::string_view::npos ? std::string_view() : path.substr(0, dot));
}

Resolver::Resolver(const torch::jit::Module& module, const torch::jit::Graph& graph)
    : module_(module), self_(graph.inputs().at(0)) {
  for (const auto& parameter : module.named_parameters()) {
    parameters_[parameter.value.unsafeGetTensorImpl()] = true;
  }
  for (const auto& attribute : module.named_attributes()) {
    if (!attribute.value.isTensor() || !attribute.value.toTensor().defined()) continue;
    paths_[attribute.value.toTensor().unsafeGetTensorImpl()].push_back(attribute.name);
  }
}

const std::vector<std::string>& Resolver::paths(const at::Tensor& tensor) const {
  static const std::vector<std::string> kNone;
  const auto found = paths_.find(tensor.unsafeGetTensorImpl());
  return found == paths_.end() ? kNone : found->second;
}

bool Resolver::isParameter(const at::Tensor& tensor) const {
  return parameters_.count(tensor.unsafeGetTensorImpl()) > 0;
}

std::optional<Attribute> Resolver::attribute(const Value* value) const {
  std::vector<std::string> names;
  for (; value != self_; value = value->node()->input(0)) {
    if (value->node()->kind() != prim::GetAttr) return std::nullopt;
    names.push_back(value->node()->s(attr::name));
  }
  Attribute found{"", module_._ivalue()};
  for (auto name = names.rbegin(); name != names.rend(); ++name) {
    if (!found.value.isObject()) return std::nullopt;
    found.path += found.path.empty() ? *name : text(".", *name);
    found.value = found.value.toObjectRef().getAttr(*name);
  }
  return found;
}

std::optional<WeightSource> Resolver::weight(const Value* value, std::string& reason) const {
  bool transposed = false;
  while (true) {
    const Node& node = *value->node();
    if (const auto found = attribute(value)) {
      if (!found->value.isTensor() || !found->value.toTensor().defined()) return std::nullopt;
      return WeightSource{found->path, found->value.toTensor(), transposed};
    }
    switch (node.kind()) {
      case prim::unchecked_cast:
      case prim::unchecked_unwrap_optional:
      case aten::to:
      case aten::contiguous:
        value = node.input(0);
        continue;
      case aten::t:
        transposed = !transposed;
        value = node.input(0);
        continue;
      case aten::__getitem__: {
        auto found = element(node, reason);
        if (found) found->transposed = found->transposed != transposed;
        return found;
      }
      case prim::Constant: {
        const auto constant = torch::jit::toIValue(value);
        if (!constant || !constant->isTensor()) return std::nullopt;
        return WeightSource{"", constant->toTensor(), transposed};
      }
      case prim::If:
        reason = "a condition chooses its weight";
        return std::nullopt;
      case prim::Loop:
        reason = "a loop changes its weight";
        return std::nullopt;
      case prim::Param:
        reason = "its weight is an input of the model or changes in a loop";
        return std::nullopt;
      default:
        reason = text("its weight is computed by ", node.kind().toQualString());
        return std::nullopt;
    }
  }
}

std::optional<WeightSource> Resolver::element(const Node& getItem, std::string& reason) const {
  const auto index = torch::jit::toIValue(getItem.input(1));
  if (!index || !index->isInt()) {
    reason = "an index that is known only when it runs chooses its weight";
    return std::nullopt;
  }
  auto all = weights(getItem.input(0), reason);
  if (!all) return std::nullopt;
  const int64_t size = static_cast<int64_t>(all->size());
  const int64_t at = index->toInt() < 0 ? index->toInt() + size : index->toInt();
  if (at < 0 || at >= size) return std::nullopt;
  return (*all)[static_cast<size_t>(at)];
}

std::optional<std::vector<WeightSource>> Resolver::weights(const Value* value, std::string& reason) const {
  std::vector<WeightSource> all;
  if (const auto found = attribute(value); found && found->value.isTensorList()) {
    for (size_t i = 0; i < found->value.toListRef().size(); ++i) {
      const at::Tensor tensor = found->value.toListRef()[i].toTensor();
      const auto& known = paths(tensor);
      all.push_back({known.empty() ? text(found->path, ".", i) : known.front(), tensor});
    }
    return all;
  }
  if (const auto constant = torch::jit::toIValue(value); constant && constant->isTensorList()) {
    for (const at::Tensor& tensor : constant->toTensorVector()) all.push_back({"", tensor});
    return all;
  }
  if (value->node()->kind() != prim::ListConstruct) {
    reason = text("its weights are a list made by ", value->node()->kind().toQualString());
    return std::nullopt;
  }
  for (const Value* input : value->node()->inputs()) {
    auto source = weight(input, reason);
    if (!source) return std::nullopt;
    all.push_back(std::move(*source));
  }
  return all;
}

}  // namespace espalier::ir
