#include "core/train/trainable.h"

namespace espalier {

Trainable trainableOf(const Model& model, const Mask* mask,
                      const std::function<bool(const std::string& path)>& chosen) {
  const std::vector<ParameterInfo>& all = model.parameters();
  std::vector<at::Tensor> masks(all.size());
  if (mask != nullptr) masks = mask->parallelTo(model);
  Trainable trainable;
  for (size_t i = 0; i < all.size(); ++i) {
    if (!all[i].tensor.requires_grad() || (chosen && !chosen(all[i].path))) continue;
    trainable.parameters.push_back(all[i].tensor);
    trainable.masks.push_back(masks[i]);
  }
  return trainable;
}

}  // namespace espalier
