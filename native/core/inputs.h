#pragma once

#include <memory>

#include "core/data/domain.h"
#include "core/model.h"

namespace espalier {

// The inputs that most methods have; one that takes more visits these fields before its own.
struct ModelOnDomain {
  std::shared_ptr<Model> model;
  std::shared_ptr<Domain> domain;
  template <class V>
  void fields(V&& visit) {
    visit("model", model);
    visit("domain", domain);
  }
};

}  // namespace espalier
