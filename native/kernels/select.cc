#include "kernels/select.h"

namespace espalier::kernels {

namespace {
int64_t elementsOf(at::TensorList tensors) {
  int64_t count = 0;
  for (const at::Tensor& tensor : tensors) count += tensor.numel();
  return count;
}
}  // namespace

void checkMagnitudes(const char* op, at::TensorList tensors) {
  TORCH_CHECK_VALUE(!tensors.empty(), op, ": expected at least one tensor, found none");
  for (size_t i = 0; i < tensors.size(); ++i) {
    TORCH_CHECK_TYPE(tensors[i].is_floating_point(), op, ": expected floating point tensors[", i, "], found ",
                     tensors[i].scalar_type());
    TORCH_CHECK_TYPE(tensors[i].scalar_type() == tensors[0].scalar_type(), op, ": expected tensors[", i,
                     "] of ", tensors[0].scalar_type(), " as the first, found ", tensors[i].scalar_type());
    TORCH_CHECK_VALUE(tensors[i].device() == tensors[0].device(), op, ": expected tensors[", i, "] on ",
                      tensors[0].device(), " as the first, found ", tensors[i].device());
  }
}

void checkCount(const char* op, const char* name, int64_t count, at::TensorList tensors) {
  checkMagnitudes(op, tensors);
  const int64_t all = elementsOf(tensors);
  TORCH_CHECK_VALUE(count >= 0 && count <= all, op, ": expected ", name, " from 0 to ", all,
                    ", the number of elements, found ", count);
}

void checkEach(const char* op, at::TensorList tensors, at::IntArrayRef cuts) {
  checkMagnitudes(op, tensors);
  TORCH_CHECK_VALUE(cuts.size() == tensors.size(), op, ": expected ", tensors.size(),
                    " cuts, one a tensor, found ", cuts.size());
  for (size_t i = 0; i < cuts.size(); ++i) {
    TORCH_CHECK_VALUE(cuts[i] >= 0 && cuts[i] <= tensors[i].numel(), op, ": expected cuts[", i,
                      "] from 0 to ", tensors[i].numel(), ", found ", cuts[i]);
  }
}

void checkLimits(const char* op, at::TensorList tensors, int64_t cut, at::IntArrayRef least,
                 at::IntArrayRef most) {
  checkEach(op, tensors, least);
  checkEach(op, tensors, most);
  int64_t lowest = 0;
  int64_t highest = 0;
  for (size_t i = 0; i < tensors.size(); ++i) {
    TORCH_CHECK_VALUE(least[i] <= most[i], op, ": expected least[", i, "] to be at most ", most[i],
                      ", found ", least[i]);
    lowest += least[i];
    highest += most[i];
  }
  TORCH_CHECK_VALUE(cut >= lowest && cut <= highest, op, ": expected cut from ", lowest, " to ", highest,
                    ", what the limits allow, found ", cut);
}

void checkNOfM(const char* op, at::TensorList tensors, int64_t n, int64_t m) {
  checkMagnitudes(op, tensors);
  TORCH_CHECK_VALUE(m >= 1 && n >= 0 && n <= m, op, ": expected n from 0 to m, found ", n, " of ", m);
  for (size_t i = 0; i < tensors.size(); ++i) {
    TORCH_CHECK_VALUE(tensors[i].dim() > 0 && tensors[i].size(-1) % m == 0, op, ": expected tensors[", i,
                      "] with a last dimension that is a multiple of ", m, ", found ", tensors[i].sizes());
  }
}

void failNotANumber(const char* op, size_t tensor) {
  TORCH_CHECK_VALUE(false, op, ": expected numbers in tensors[", tensor, "], found NaN, which has no rank");
}

}  // namespace espalier::kernels
