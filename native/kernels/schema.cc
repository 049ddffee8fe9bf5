#include <torch/library.h>

// The operators, declared once. Lists belong together element by element; `skip` is the divergence guard's
// flag (float32, one element): where it is 1 nothing is updated. docs/kernels.md says what each computes.
namespace espalier::kernels {

TORCH_LIBRARY(espalier, m) {
  m.def(
      "masked_sgd_(Tensor(a!)[] weights, Tensor[] gradients, Tensor(b!)[] momenta, Tensor?[] masks, "
      "Tensor(c!)[] averages, Tensor(d!)[] effective, *, float learning_rate, float momentum=0.0, "
      "float weight_decay=0.0, bool nesterov=False, float average_decay=0.0, Tensor? skip=None) -> ()");
  m.def(
      "masked_adam_(Tensor(a!)[] weights, Tensor[] gradients, Tensor(b!)[] first_moments, "
      "Tensor(c!)[] second_moments, Tensor(d!)[] steps, Tensor?[] masks, Tensor(e!)[] averages, "
      "Tensor(f!)[] effective, *, float learning_rate, float beta1=0.9, float beta2=0.999, "
      "float epsilon=1e-8, float weight_decay=0.0, bool decoupled=False, float average_decay=0.0, "
      "Tensor? skip=None) -> ()");

  m.def(
      "ltp_gate_(Tensor[] weights, Tensor?[] masks, Tensor(a!) thresholds, Tensor previous, "
      "Tensor temperatures, float[] least_kept, Tensor(b!)[] effective, *, "
      "bool counting=True) -> Tensor");
  m.def(
      "ltp_step_(Tensor(a!)[] weights, Tensor[] gradients, Tensor(b!)[] momenta, Tensor?[] masks, "
      "Tensor(c!) thresholds, Tensor(d!) previous, Tensor temperatures, Tensor rates, *, float cost, "
      "float learning_rate, float momentum=0.0, float weight_decay=0.0, bool nesterov=False, "
      "bool exact=False, bool normalised=True, Tensor? skip=None, Tensor? hold=None) -> Tensor");

  m.def("score_apply_(Tensor[] weights, Tensor[] scores, Tensor(a!)[] effective, *, float cut) -> Tensor");
  m.def(
      "score_adam_(Tensor(a!)[] scores, Tensor[] weights, Tensor[] gradients, Tensor(b!)[] first_moments, "
      "Tensor(c!)[] second_moments, Tensor(d!)[] steps, *, float learning_rate, float beta1=0.9, "
      "float beta2=0.999, float epsilon=1e-8, Tensor? skip=None) -> ()");

  m.def(
      "admm_penalty_(Tensor(a!)[] gradients, Tensor[] weights, Tensor[] sparse, Tensor[] duals, "
      "Tensor?[] masks, *, float rho) -> Tensor");
  m.def(
      "admm_shrink_(Tensor(a!)[] sparse, Tensor[] weights, Tensor[] duals, Tensor?[] masks, *, float delta) "
      "-> Tensor");
  m.def(
      "admm_keep_(Tensor(a!)[] sparse, Tensor[] weights, Tensor[] duals, Tensor?[] masks, *, int kept) "
      "-> Tensor[]");
  m.def("admm_dual_(Tensor(a!)[] duals, Tensor[] weights, Tensor[] sparse) -> Tensor");

  m.def("kth_magnitude(Tensor[] tensors, int k) -> Tensor");
  m.def("select_lowest(Tensor[] tensors, int cut) -> Tensor[]");
  m.def("select_lowest_each(Tensor[] tensors, int[] cuts) -> Tensor[]");
  m.def("select_lowest_between(Tensor[] tensors, int cut, int[] least, int[] most) -> Tensor[]");
  m.def("select_n_of_m(Tensor[] tensors, int n, int m) -> Tensor[]");

  m.def("statistics(Tensor[] tensors) -> Tensor");
  m.def("raise_if_not_finite_(Tensor(a!) flag, Tensor[] tensors) -> ()");

  // The same mathematics as differentiable functions of one tensor.
  m.def(
      "ltp_effective_weight(Tensor weight, Tensor threshold, Tensor temperature, bool exact=True) "
      "-> (Tensor effective, Tensor soft_count)");
  m.def("score_effective_weight(Tensor weight, Tensor score, float cut) -> Tensor");
  m.def("admm_penalty(Tensor weight, Tensor sparse, Tensor dual, float rho) -> Tensor");
  m.def("soft_threshold(Tensor input, float delta) -> Tensor");

  // Layers between convolutions, on the CPU.
  m.def(
      "batch_norm_relu_forward_(Tensor input, Tensor? weight, Tensor? bias, Tensor(a!)? running_mean, "
      "Tensor(b!)? running_var, bool training, float momentum, float epsilon, bool pooled) "
      "-> (Tensor output, Tensor statistics, Tensor chosen)");
  m.def(
      "batch_norm_relu_backward(Tensor gradient, Tensor input, Tensor? weight, Tensor? bias, "
      "Tensor statistics, Tensor chosen, bool training, bool[3] wanted) "
      "-> (Tensor input, Tensor weight, Tensor bias)");
  m.def(
      "batch_norm_add_relu_forward_(Tensor input, Tensor? weight, Tensor? bias, Tensor other, "
      "Tensor(a!)? running_mean, Tensor(b!)? running_var, bool training, float momentum, float epsilon) "
      "-> (Tensor output, Tensor statistics)");
  m.def(
      "batch_norm_add_relu_backward(Tensor gradient, Tensor input, Tensor output, Tensor? weight, "
      "Tensor statistics, bool training, bool[3] wanted) "
      "-> (Tensor input, Tensor weight, Tensor bias, Tensor other)");
  m.def("relu_pool(Tensor input) -> Tensor");
  m.def("average_pool(Tensor input, int height, int width) -> Tensor");
  m.def("average_pool_backward(Tensor gradient, int height, int width) -> Tensor");

  m.def("instruction_set() -> str");
}

}  // namespace espalier::kernels
