#include "core/graph/walk.h"

#include "core/error.h"

namespace espalier::ir {

std::optional<size_t> argumentIndex(const torch::jit::Node& node, std::string_view name) {
  const c10::FunctionSchema* schema = node.maybeSchema();
  if (schema == nullptr) return std::nullopt;
  const auto index = schema->argumentIndexWithName(name);
  if (!index || static_cast<size_t>(*index) >= node.inputs().size()) return std::nullopt;
  return static_cast<size_t>(*index);
}

torch::jit::Value* argument(const torch::jit::Node& node, std::string_view name) {
  const auto index = argumentIndex(node, name);
  return index ? const_cast<torch::jit::Value*>(node.inputs()[*index]) : nullptr;
}

std::string sourceOf(const torch::jit::Node& node) {
  torch::jit::SourceRange range = node.sourceRange();
  if (const auto original = range.findSourceRangeThatGenerated()) range = *original;
  const auto place = range.file_line_col();
  if (!place) return "unknown source";
  return text(std::get<0>(*place), ":", std::get<1>(*place));
}

}  // namespace espalier::ir
