#include "methods/authorize/remove_mask.h"

#include "core/job.h"
#include "core/key.h"
#include "core/model.h"

// Opens what authorize.applyMask locked: the weights come back bit for bit.
namespace espalier {

namespace {

constexpr const char* kName = "authorize.removeMask";

struct Inputs {
  std::shared_ptr<Model> model;
  std::shared_ptr<Key> key;
  template <class V>
  void fields(V&& visit) {
    visit("model", model);
    visit("key", key);
  }
};

struct Options {
  template <class V>
  void fields(V&&) {}
};

struct Report {
  int64_t restored = 0;
  std::string dense;
  template <class V>
  void fields(V&& visit) {
    visit("restored", restored);
    visit("dense", dense);
  }
};

struct Output {
  std::shared_ptr<Model> model;
  template <class V>
  void fields(V&& visit) {
    visit("model", model);
  }
};

Output run(const Inputs& inputs, const Options& /*options*/, Report& report, Job& job) {
  inputs.model->requireTrainable(kName);
  job.checkCancelled();
  const std::shared_ptr<Model> model = inputs.model->clone()->to(job.device());
  inputs.key->restore(*model);
  report.restored = inputs.key->weights();
  report.dense = inputs.key->dense();
  return {model};
}

}  // namespace

Method authorizeRemoveMask() { return method(kName, run); }

}  // namespace espalier
