#include <torch/csrc/autograd/autograd.h>
#include <torch/csrc/autograd/custom_function.h>
#include <torch/library.h>
#include <torch/types.h>

#include "kernels/average_pool.h"
#include "kernels/images.h"
#include "kernels/norm.h"

// The operators that fuse.cc puts into graphs, differentiable: the kernels where they can run, elsewhere
// (other types, devices and memory layouts) the operators of ATen that they stand for.
namespace espalier::ir {

namespace {

using kernels::OptionalTensor;
using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

OptionalTensor ifDefined(const at::Tensor& tensor) {
  return tensor.defined() ? OptionalTensor(tensor) : std::nullopt;
}

at::Tensor plain(const at::Tensor& input, const OptionalTensor& weight, const OptionalTensor& bias,
                 const OptionalTensor& mean, const OptionalTensor& variance, bool training, double momentum,
                 double epsilon, bool pooled) {
  const at::Tensor output = at::relu(at::batch_norm(input, weight, bias, mean, variance, training, momentum,
                                                    epsilon, /*cudnn_enabled=*/true));
  return pooled ? at::max_pool2d(output, {2, 2}) : output;
}

// NOLINTBEGIN(readability-identifier-naming): `forward` and `backward` are torch's names
struct BatchNormRelu : torch::autograd::Function<BatchNormRelu> {
  static at::Tensor forward(AutogradContext* context, const at::Tensor& input, const OptionalTensor& weight,
                            const OptionalTensor& bias, const OptionalTensor& runningMean,
                            const OptionalTensor& runningVariance, bool training, double momentum,
                            double epsilon, bool pooled) {
    auto [output, statistics, chosen] = kernels::batchNormReluForward(
        input, weight, bias, runningMean, runningVariance, training, momentum, epsilon, pooled);
    context->save_for_backward(
        {input, weight.value_or(at::Tensor()), bias.value_or(at::Tensor()), statistics, chosen});
    context->saved_data["training"] = training;
    context->saved_data["epsilon"] = epsilon;
    return output;
  }

  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const variable_list saved = context->get_saved_variables();
    const variable_list parts =
        at::GradMode::is_enabled()
            ? differentiable(saved, context->saved_data, gradients[0])
            : once(saved, context->saved_data["training"].toBool(), wanted(*context, saved), gradients[0]);
    return {parts[0], parts[1], parts[2], {}, {}, {}, {}, {}, {}};
  }

 private:
  // What this backward is asked for, of input, weight and bias; torch counts those that are there.
  static std::array<bool, 3> wanted(const AutogradContext& context, const variable_list& saved) {
    std::array<bool, 3> all = {};
    size_t edge = 0;
    for (size_t i = 0; i < all.size(); ++i) all[i] = saved[i].defined() && context.needs_input_grad(edge++);
    return all;
  }

  static variable_list once(const variable_list& saved, bool training, std::array<bool, 3> wanted,
                            const at::Tensor& gradient) {
    auto [input, weight, bias] = kernels::batchNormReluBackward(
        gradient.contiguous(at::MemoryFormat::ChannelsLast), saved[0], ifDefined(saved[1]),
        ifDefined(saved[2]), saved[3], saved[4], training, wanted);
    return {wanted[0] ? input : at::Tensor(), wanted[1] ? weight : at::Tensor(),
            wanted[2] ? bias : at::Tensor()};
  }

  // A gradient that is to be differentiated itself.
  static variable_list differentiable(const variable_list& saved,
                                      ska::flat_hash_map<std::string, at::IValue>& scalars,
                                      const at::Tensor& gradient) {
    const bool training = scalars["training"].toBool();
    const bool pooled = saved[4].numel() > 0;
    OptionalTensor mean;
    OptionalTensor variance;
    if (!training) {
      mean = saved[3][0];
      variance = saved[3][1].pow(-2);
    }
    const double epsilon = training ? scalars["epsilon"].toDouble() : 0;
    const at::Tensor output = plain(saved[0], ifDefined(saved[1]), ifDefined(saved[2]), mean, variance,
                                    training, 0, epsilon, pooled);
    variable_list trained;
    for (size_t i = 0; i < 3; ++i) {
      if (saved[i].defined() && saved[i].requires_grad()) trained.push_back(saved[i]);
    }
    const variable_list found = torch::autograd::grad({output}, trained, {gradient}, /*retain_graph=*/true,
                                                      /*create_graph=*/true, /*allow_unused=*/true);
    variable_list parts;
    size_t next = 0;
    for (size_t i = 0; i < 3; ++i) {
      const bool isTrained = saved[i].defined() && saved[i].requires_grad();
      parts.push_back(isTrained ? found[next++] : at::Tensor());
    }
    return parts;
  }
};

// The average over windows, or with kSpreads its transpose: both are linear, and each is the other's
// gradient.
template <bool kSpreads>
struct AveragePool : torch::autograd::Function<AveragePool<kSpreads>> {
  static at::Tensor forward(AutogradContext* context, const at::Tensor& input, int64_t height,
                            int64_t width) {
    context->saved_data["height"] = input.size(2);
    context->saved_data["width"] = input.size(3);
    return kSpreads ? kernels::averagePoolBackward(input, height, width)
                    : kernels::averagePool(input, height, width);
  }

  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const at::Tensor gradient = gradients[0].contiguous(at::MemoryFormat::ChannelsLast);
    return {AveragePool<!kSpreads>::apply(gradient, context->saved_data["height"].toInt(),
                                          context->saved_data["width"].toInt()),
            {},
            {}};
  }
};
// NOLINTEND(readability-identifier-naming)

at::Tensor batchNormRelu(const at::Tensor& input, const OptionalTensor& weight, const OptionalTensor& bias,
                         const OptionalTensor& runningMean, const OptionalTensor& runningVariance,
                         bool training, double momentum, double epsilon, bool pooled) {
  bool fusable = kernels::isNormFusable(input, pooled);
  for (const OptionalTensor* each : {&weight, &bias, &runningMean, &runningVariance}) {
    const at::Tensor tensor = each->value_or(at::Tensor());
    fusable =
        fusable && (!tensor.defined() || (tensor.scalar_type() == at::kFloat && tensor.is_contiguous()));
  }
  return fusable
             ? BatchNormRelu::apply(input, weight, bias, runningMean, runningVariance, training, momentum,
                                    epsilon, pooled)
             : plain(input, weight, bias, runningMean, runningVariance, training, momentum, epsilon, pooled);
}

// Convolutions and the kernels are fastest with the channels side by side; what follows keeps that layout.
at::Tensor channelsLast(const at::Tensor& input) {
  if (!kernels::hasImageType(input) || input.dim() != 4) return input;
  // One channel is in either layout already; its strides have to say so.
  if (input.size(1) == 1 && input.is_contiguous()) {
    const int64_t width = input.size(3);
    return input.as_strided(input.sizes(), {input.size(2) * width, 1, width, 1});
  }
  return input.contiguous(at::MemoryFormat::ChannelsLast);
}

at::Tensor reluPool(const at::Tensor& input) {
  if (!kernels::isNormFusable(input, /*pooled=*/true)) return at::max_pool2d(at::relu(input), {2, 2});
  const bool isTrained = at::GradMode::is_enabled() && input.requires_grad();
  if (!isTrained) return kernels::reluPool(input);
  // A norm that changes nothing.
  const OptionalTensor none;
  const OptionalTensor mean = torch::zeros({input.size(1)});
  const OptionalTensor variance = torch::ones({input.size(1)});
  return BatchNormRelu::apply(input, none, none, mean, variance, /*training=*/false, /*momentum=*/0.0,
                              /*epsilon=*/0.0, /*pooled=*/true);
}

at::Tensor averagePool(const at::Tensor& input, at::IntArrayRef size) {
  return size.size() == 2 && kernels::isAveragePoolable(input, size[0], size[1])
             ? AveragePool<false>::apply(input, size[0], size[1])
             : at::adaptive_avg_pool2d(input, size);
}

}  // namespace

TORCH_LIBRARY(espalier_graph, m) {
  m.def(
      "batch_norm_relu(Tensor input, Tensor? weight, Tensor? bias, Tensor(a!)? running_mean, "
      "Tensor(b!)? running_var, bool training, float momentum, float epsilon, bool pooled) -> Tensor");
  m.def("relu_pool(Tensor input) -> Tensor");
  m.def("average_pool(Tensor input, int[2] output_size) -> Tensor");
  m.def("channels_last(Tensor(a) input) -> Tensor(a)");
}

TORCH_LIBRARY_IMPL(espalier_graph, CompositeImplicitAutograd, m) {
  m.impl("batch_norm_relu", TORCH_FN(batchNormRelu));
  m.impl("relu_pool", TORCH_FN(reluPool));
  m.impl("average_pool", TORCH_FN(averagePool));
  m.impl("channels_last", TORCH_FN(channelsLast));
}

}  // namespace espalier::ir
