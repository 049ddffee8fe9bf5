#include "methods/authorize/apply_mask.h"

#include <map>

#include <torch/types.h>
#include <torch/utils.h>

#include "core/error.h"
#include "core/job.h"
#include "core/key.h"
#include "core/mask.h"
#include "core/model.h"

// Masks as a lock: what they do not keep is cut out of the model and goes into a key, which alone can put it
// back. Pruning for a domain, and taking it back: Peng et al., CVPR 2024 (MAP), arXiv 2403.04149; the key is
// ours.
namespace espalier {

namespace {

constexpr const char* kName = "authorize.applyMask";

struct Inputs {
  std::shared_ptr<Model> model;
  std::vector<std::shared_ptr<Mask>> mask;
  template <class V>
  void fields(V&& visit) {
    visit("model", model);
    visit("mask", mask);
  }
};

struct Options {
  template <class V>
  void fields(V&&) {}
};

struct LayerCut {
  std::string path;
  int64_t weights = 0;
  int64_t cut = 0;
  template <class V>
  void fields(V&& visit) {
    visit("path", path);
    visit("weights", weights);
    visit("cut", cut);
  }
};

struct Report {
  int64_t masks = 0;
  int64_t weights = 0;
  int64_t cut = 0;
  double share = 0;
  std::vector<LayerCut> layers;
  std::string dense;
  std::string masked;
  template <class V>
  void fields(V&& visit) {
    visit("masks", masks);
    visit("weights", weights);
    visit("cut", cut);
    visit("share", share);
    visit("layers", layers);
    visit("dense", dense);
    visit("masked", masked);
  }
};

struct Output {
  std::shared_ptr<Model> model;
  std::shared_ptr<Key> key;
  template <class V>
  void fields(V&& visit) {
    visit("model", model);
    visit("key", key);
  }
};

void requireMadeFor(const Mask& mask, const std::string& digest, size_t position) {
  if (mask.dense().empty() || mask.dense() == digest) return;
  fail(ErrorCode::kOutOfRange, "expected a mask made for this model (digest ", digest, ") as mask ",
       position + 1, ", received one made for another (digest ", mask.dense(),
       "): give the dense model that it was made for; several masks are applied in one call");
}

// Kept where every mask keeps; a weight that a mask does not name is kept by it.
Mask intersect(const Inputs& inputs, const Model& model) {
  std::vector<at::Tensor> kept(model.parameters().size());
  for (const auto& mask : inputs.mask) {
    const std::vector<at::Tensor> masks = mask->parallelTo(model);
    for (size_t i = 0; i < masks.size(); ++i) {
      if (!masks[i].defined()) continue;
      kept[i] = kept[i].defined() ? kept[i].logical_and(masks[i]) : masks[i];
    }
  }
  std::vector<Mask::Entry> entries;
  for (size_t i = 0; i < kept.size(); ++i) {
    if (kept[i].defined()) entries.push_back({model.parameters()[i].path, kept[i].cpu()});
  }
  return Mask(std::move(entries));
}

Output run(const Inputs& inputs, const Options& /*options*/, Report& report, Job& job) {
  if (inputs.mask.empty()) fail(ErrorCode::kOutOfRange, kName, ": expected at least one mask, received none");
  inputs.model->requireTrainable(kName);
  const std::string digest = inputs.model->digest();
  for (size_t i = 0; i < inputs.mask.size(); ++i) requireMadeFor(*inputs.mask[i], digest, i);
  job.checkCancelled();
  const std::shared_ptr<Model> model = inputs.model->clone()->to(job.device());
  const std::shared_ptr<Key> key = Key::cut(*model, intersect(inputs, *model));
  // Its file must not tell what the mask keeps out.
  model->mutableManifest().set("protected", true);

  report.masks = static_cast<int64_t>(inputs.mask.size());
  for (const Key::Entry& entry : key->entries()) {
    report.layers.push_back({entry.path, entry.cut.numel(), entry.values.numel()});
    report.weights += entry.cut.numel();
    report.cut += entry.values.numel();
  }
  if (report.weights > 0)
    report.share = static_cast<double>(report.cut) / static_cast<double>(report.weights);
  report.dense = key->dense();
  report.masked = key->masked();
  return {model, key};
}

}  // namespace

Method authorizeApplyMask() { return method(kName, run); }

}  // namespace espalier
