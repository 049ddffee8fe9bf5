#include "core/archive/denied.h"

#include <algorithm>
#include <array>

namespace espalier {
namespace {

struct Denied {
  std::string_view name;
  std::string_view why;
};

constexpr std::string_view kFiles = "reaches files";
constexpr std::string_view kMemory = "reaches raw memory";
constexpr std::string_view kPython = "runs Python";
constexpr std::string_view kProcess = "reaches other processes";

// Ordinary models need none of these. Views that check their bounds are not among them.
constexpr std::array kDenied = {
    Denied{"aten::save", kFiles},
    Denied{"aten::from_file", kFiles},
    Denied{"aten::set_", kMemory},
    Denied{"aten::set", kMemory},
    Denied{"aten::set_data", kMemory},
    Denied{"aten::resize", kMemory},
    Denied{"aten::resize_", kMemory},
    Denied{"aten::resize_as", kMemory},
    Denied{"aten::resize_as_", kMemory},
    Denied{"aten::resize_as_sparse", kMemory},
    Denied{"aten::resize_as_sparse_", kMemory},
    Denied{"aten::_resize_output", kMemory},
    Denied{"aten::_resize_output_", kMemory},
    Denied{"aten::as_strided", kMemory},
    Denied{"aten::as_strided_", kMemory},
    Denied{"aten::as_strided_copy", kMemory},
    Denied{"aten::as_strided_scatter", kMemory},
    Denied{"aten::_reshape_alias", kMemory},
    Denied{"aten::_reshape_alias_copy", kMemory},
    Denied{"aten::_index_put_impl", kMemory},
    Denied{"aten::_index_put_impl_", kMemory},
    Denied{"aten::_unsafe_index", kMemory},
    Denied{"aten::_unsafe_index_put", kMemory},
    Denied{"aten::_unsafe_masked_index", kMemory},
    Denied{"aten::_unsafe_masked_index_put_accumulate", kMemory},
    Denied{"aten::_sparse_coo_tensor_unsafe", kMemory},
    Denied{"aten::_sparse_coo_tensor_with_dims_and_tensors", kMemory},
    Denied{"aten::_sparse_compressed_tensor_unsafe", kMemory},
    Denied{"aten::_sparse_csr_tensor_unsafe", kMemory},
    Denied{"aten::_sparse_csc_tensor_unsafe", kMemory},
    Denied{"aten::_sparse_bsr_tensor_unsafe", kMemory},
    Denied{"aten::_sparse_bsc_tensor_unsafe", kMemory},
    Denied{"aten::sparse_resize_", kMemory},
    Denied{"aten::sparse_resize_and_clear_", kMemory},
    Denied{"aten::_coalesced_", kMemory},
    Denied{"aten::_nested_view_from_buffer", kMemory},
    Denied{"aten::_nested_view_from_buffer_copy", kMemory},
    Denied{"aten::_nested_view_from_jagged", kMemory},
    Denied{"aten::_nested_view_from_jagged_copy", kMemory},
    Denied{"aten::_test_optional_intlist", kMemory},
    Denied{"aten::_test_serialization_subcmul", kMemory},
    Denied{"aten::data_ptr", kMemory},
    Denied{"aten::storage", kMemory},
    Denied{"aten::record_stream", kMemory},
    Denied{"prim::PythonOp", kPython},
    Denied{"prim::IgnoredPythonOp", kPython},
    Denied{"prim::CreatePythonObject", kPython},
    Denied{"prim::rpc_async", kProcess},
    Denied{"prim::rpc_sync", kProcess},
    Denied{"prim::rpc_remote", kProcess},
    // Made by libtorch's own passes from graphs that it has checked.
    Denied{"prim::FusionGroup", kMemory},
    Denied{"prim::CudaFusionGroup", kMemory},
    Denied{"prim::TensorExprGroup", kMemory},
    Denied{"prim::TensorExprDynamicGroup", kMemory},
    Denied{"prim::DifferentiableGraph", kMemory},
    Denied{"prim::StaticSubgraph", kMemory},
    Denied{"prim::MKLDNNGroup", kMemory},
    Denied{"prim::BailOut", kMemory},
    Denied{"prim::BailoutTemplate", kMemory},
};

// Namespaces that libtorch brings, and that reach further than a model has reason to.
constexpr std::array kDeniedNamespaces = {
    Denied{"inductor", kMemory},
    Denied{"inductor_prims", kMemory},
    Denied{"static_runtime", kMemory},
    Denied{"mkldnn", kMemory},
    Denied{"mkl", kMemory},
    Denied{"profiler", kFiles},
    Denied{"_test", kMemory},
    Denied{"c10d", kProcess},
    Denied{"c10d_functional", kProcess},
    Denied{"_c10d_functional", kProcess},
    Denied{"_c10d_functional_autograd", kProcess},
    Denied{"_dtensor", kProcess},
    Denied{"symm_mem", kProcess},
    Denied{"rpc", kProcess},
};

constexpr std::array<std::string_view, 4> kNamespaces = {"aten", "prim", "quantized", "onnx"};

const Denied* find(const auto& table, std::string_view name) {
  const auto found =
      std::find_if(table.begin(), table.end(), [&](const Denied& rule) { return rule.name == name; });
  return found == table.end() ? nullptr : &*found;
}

}  // namespace

OperatorRule ruleOf(std::string_view name) {
  if (const Denied* rule = find(kDenied, name)) return {OperatorVerdict::kUnsafe, rule->why};
  const std::string_view space = name.substr(0, name.find(':'));
  if (const Denied* rule = find(kDeniedNamespaces, space)) return {OperatorVerdict::kUnsafe, rule->why};
  const bool known = std::find(kNamespaces.begin(), kNamespaces.end(), space) != kNamespaces.end();
  return {known ? OperatorVerdict::kAllowed : OperatorVerdict::kUnknown, {}};
}

}  // namespace espalier
