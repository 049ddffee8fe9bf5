#include <algorithm>

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

at::Tensor pooledRelu(const at::Tensor& input, bool pooled) {
  const at::Tensor output = at::relu(input);
  return pooled ? at::max_pool2d(output, {2, 2}) : output;
}

at::Tensor batchNorm(const at::Tensor& input, const OptionalTensor& weight, const OptionalTensor& bias,
                     const OptionalTensor& mean, const OptionalTensor& variance, bool training,
                     double momentum, double epsilon) {
  return at::batch_norm(input, weight, bias, mean, variance, training, momentum, epsilon,
                        /*cudnn_enabled=*/true);
}

// What both norms save for their gradients: [input, weight, bias, statistics, ...], and two of
// batch_norm's scalars beside it.
struct SavedNorm {
  variable_list tensors;
  bool training = false;
  double epsilon = 0;

  static void keep(AutogradContext& context, variable_list tensors, bool training, double epsilon) {
    context.save_for_backward(std::move(tensors));
    context.saved_data["training"] = training;
    context.saved_data["epsilon"] = epsilon;
  }

  explicit SavedNorm(AutogradContext& context)
      : tensors(context.get_saved_variables()),
        training(context.saved_data["training"].toBool()),
        epsilon(context.saved_data["epsilon"].toDouble()) {}

  // What a backward is asked for, of input, weight and bias; torch counts those that are there.
  std::array<bool, 3> wanted(const AutogradContext& context) const {
    std::array<bool, 3> all = {};
    size_t edge = 0;
    for (size_t i = 0; i < all.size(); ++i) all[i] = tensors[i].defined() && context.needs_input_grad(edge++);
    return all;
  }

  // Gradients of input, weight and bias that are to be differentiated themselves: of behind(norm).
  template <class Behind>
  variable_list differentiable(const at::Tensor& gradient, const Behind& behind) const {
    // Views: a weight that the input depends on too would get the gradient of that way as well.
    variable_list own(3);
    variable_list trained;
    for (size_t i = 0; i < own.size(); ++i) {
      if (!tensors[i].defined()) continue;
      own[i] = tensors[i].view_as(tensors[i]);
      if (own[i].requires_grad()) trained.push_back(own[i]);
    }
    if (trained.empty()) return variable_list(3);
    const at::Tensor& statistics = tensors[3];
    const at::Tensor output = behind(batchNorm(own[0], ifDefined(own[1]), ifDefined(own[2]),
                                               training ? OptionalTensor() : statistics[0],
                                               training ? OptionalTensor() : statistics[1].pow(-2), training,
                                               /*momentum=*/0, training ? epsilon : 0));
    const variable_list found = torch::autograd::grad({output}, trained, {gradient}, /*retain_graph=*/true,
                                                      /*create_graph=*/true, /*allow_unused=*/true);
    variable_list parts(3);
    size_t next = 0;
    for (size_t i = 0; i < parts.size(); ++i) {
      if (own[i].defined() && own[i].requires_grad()) parts[i] = found[next++];
    }
    return parts;
  }
};

at::Tensor ifWanted(bool isWanted, const at::Tensor& tensor) { return isWanted ? tensor : at::Tensor(); }

// What a norm's backward returns: computed at once, or so that it can be differentiated itself.
template <class Norm>
variable_list partsOf(AutogradContext& context, const at::Tensor& gradient) {
  const SavedNorm saved(context);
  return at::GradMode::is_enabled() ? Norm::differentiable(saved, gradient)
                                    : Norm::once(saved, saved.wanted(context), gradient);
}

// NOLINTBEGIN(readability-identifier-naming): `forward` and `backward` are torch's names
struct BatchNormRelu : torch::autograd::Function<BatchNormRelu> {
  static at::Tensor forward(AutogradContext* context, const at::Tensor& input, const OptionalTensor& weight,
                            const OptionalTensor& bias, const OptionalTensor& runningMean,
                            const OptionalTensor& runningVariance, bool training, double momentum,
                            double epsilon, bool pooled) {
    auto [output, statistics, chosen] = kernels::batchNormReluForward(
        input, weight, bias, runningMean, runningVariance, training, momentum, epsilon, pooled);
    SavedNorm::keep(*context,
                    {input, weight.value_or(at::Tensor()), bias.value_or(at::Tensor()), statistics, chosen},
                    training, epsilon);
    return output;
  }

  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const variable_list parts = partsOf<BatchNormRelu>(*context, gradients[0]);
    return {parts[0], parts[1], parts[2], {}, {}, {}, {}, {}, {}};
  }

  static variable_list once(const SavedNorm& saved, std::array<bool, 3> wanted, const at::Tensor& gradient) {
    const variable_list& tensors = saved.tensors;
    const at::Tensor& chosen = tensors[4];
    auto [input, weight, bias] = kernels::batchNormReluBackward(
        gradient.contiguous(at::MemoryFormat::ChannelsLast), tensors[0], ifDefined(tensors[1]),
        ifDefined(tensors[2]), tensors[3], chosen, saved.training, wanted);
    return {ifWanted(wanted[0], input), ifWanted(wanted[1], weight), ifWanted(wanted[2], bias)};
  }

  static variable_list differentiable(const SavedNorm& saved, const at::Tensor& gradient) {
    const at::Tensor& chosen = saved.tensors[4];
    const bool pooled = chosen.numel() > 0;
    return saved.differentiable(gradient,
                                [pooled](const at::Tensor& norm) { return pooledRelu(norm, pooled); });
  }
};

// relu(norm + other). Its own output tells what relu let pass: it is kept in any case, for the next block
// reads it, and so `other` need not be.
struct BatchNormAddRelu : torch::autograd::Function<BatchNormAddRelu> {
  static at::Tensor forward(AutogradContext* context, const at::Tensor& input, const OptionalTensor& weight,
                            const OptionalTensor& bias, const at::Tensor& other,
                            const OptionalTensor& runningMean, const OptionalTensor& runningVariance,
                            bool training, double momentum, double epsilon) {
    auto [output, statistics] = kernels::batchNormAddReluForward(
        input, weight, bias, other, runningMean, runningVariance, training, momentum, epsilon);
    SavedNorm::keep(*context,
                    {input, weight.value_or(at::Tensor()), bias.value_or(at::Tensor()), statistics, output},
                    training, epsilon);
    return output;
  }

  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const variable_list parts = partsOf<BatchNormAddRelu>(*context, gradients[0]);
    return {parts[0], parts[1], parts[2], parts[3], {}, {}, {}, {}, {}};
  }

  static variable_list once(const SavedNorm& saved, std::array<bool, 3> wanted, const at::Tensor& gradient) {
    const variable_list& tensors = saved.tensors;
    const at::Tensor& output = tensors[4];
    auto [input, weight, bias, other] =
        kernels::batchNormAddReluBackward(gradient.contiguous(at::MemoryFormat::ChannelsLast), tensors[0],
                                          output, ifDefined(tensors[1]), tensors[3], saved.training, wanted);
    return {ifWanted(wanted[0], input), ifWanted(wanted[1], weight), ifWanted(wanted[2], bias), other};
  }

  static variable_list differentiable(const SavedNorm& saved, const at::Tensor& gradient) {
    const at::Tensor& output = saved.tensors[4];
    const at::Tensor passed = at::where(output <= 0, at::zeros_like(gradient), gradient);
    variable_list parts = saved.differentiable(passed, [](const at::Tensor& norm) { return norm; });
    parts.push_back(passed);
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

// Whether the kernels can take what belongs to the channels.
bool areFloat(std::initializer_list<const OptionalTensor*> tensors) {
  return std::all_of(tensors.begin(), tensors.end(), [](const OptionalTensor* each) {
    const at::Tensor tensor = each->value_or(at::Tensor());
    return !tensor.defined() || (tensor.scalar_type() == at::kFloat && tensor.is_contiguous());
  });
}

at::Tensor batchNormRelu(const at::Tensor& input, const OptionalTensor& weight, const OptionalTensor& bias,
                         const OptionalTensor& runningMean, const OptionalTensor& runningVariance,
                         bool training, double momentum, double epsilon, bool pooled) {
  const bool fusable =
      kernels::isNormFusable(input, pooled) && areFloat({&weight, &bias, &runningMean, &runningVariance});
  return fusable ? BatchNormRelu::apply(input, weight, bias, runningMean, runningVariance, training, momentum,
                                        epsilon, pooled)
                 : pooledRelu(batchNorm(input, weight, bias, runningMean, runningVariance, training, momentum,
                                        epsilon),
                              pooled);
}

// norm + other, with the type and shape of what it is written over in the code (fuse.cc).
at::Tensor added(const at::Tensor& norm, const at::Tensor& other, int64_t over) {
  if (over == 0) return norm + other;
  const at::Tensor& target = over == 1 ? norm : other;
  const at::Tensor& summand = over == 1 ? other : norm;
  return (target + summand.expand_as(target)).to(target.scalar_type());
}

at::Tensor batchNormAddRelu(const at::Tensor& input, const OptionalTensor& weight, const OptionalTensor& bias,
                            const at::Tensor& other, const OptionalTensor& runningMean,
                            const OptionalTensor& runningVariance, bool training, double momentum,
                            double epsilon, int64_t over) {
  const bool fusable = kernels::isNormFusable(input, /*pooled=*/false) &&
                       areFloat({&weight, &bias, &runningMean, &runningVariance}) &&
                       other.device() == input.device() && other.scalar_type() == input.scalar_type() &&
                       other.sizes() == input.sizes();
  return fusable
             ? BatchNormAddRelu::apply(input, weight, bias, other.contiguous(at::MemoryFormat::ChannelsLast),
                                       runningMean, runningVariance, training, momentum, epsilon)
             : at::relu(added(
                   batchNorm(input, weight, bias, runningMean, runningVariance, training, momentum, epsilon),
                   other, over));
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
  m.def(
      "batch_norm_add_relu(Tensor input, Tensor? weight, Tensor? bias, Tensor other, "
      "Tensor(a!)? running_mean, Tensor(b!)? running_var, bool training, float momentum, float epsilon, "
      "int over) -> Tensor");
  m.def("relu_pool(Tensor input) -> Tensor");
  m.def("average_pool(Tensor input, int[2] output_size) -> Tensor");
  m.def("channels_last(Tensor(a) input) -> Tensor(a)");
}

TORCH_LIBRARY_IMPL(espalier_graph, CompositeImplicitAutograd, m) {
  m.impl("batch_norm_relu", TORCH_FN(batchNormRelu));
  m.impl("batch_norm_add_relu", TORCH_FN(batchNormAddRelu));
  m.impl("relu_pool", TORCH_FN(reluPool));
  m.impl("average_pool", TORCH_FN(averagePool));
  m.impl("channels_last", TORCH_FN(channelsLast));
}

}  // namespace espalier::ir
