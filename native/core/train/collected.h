#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include <torch/types.h>

#include "core/error.h"
#include "core/model.h"

// What a training collects in its state. Where it is resumed from a damaged checkpoint there may be less of
// it than a training leaves behind: that is ERR_OUT_OF_RANGE here, which a resumed run makes
// ERR_CHECKPOINT_INVALID.
namespace espalier {

// The last of the figures of a training that has ended.
template <class Figures>
const Figures& lastOf(const std::vector<Figures>& collected, std::string_view name) {
  if (collected.empty()) {
    fail(ErrorCode::kOutOfRange, "expected ", name, " of a training that has ended, found none");
  }
  return collected.back();
}

// The item of a list that a counter of the state points at.
template <class Item>
const Item& itemOf(const std::vector<Item>& list, int64_t index, std::string_view name) {
  if (index < 0 || index >= static_cast<int64_t>(list.size())) {
    fail(ErrorCode::kOutOfRange, "expected an index below ", list.size(), " into ", name, ", found ", index);
  }
  return list[static_cast<size_t>(index)];
}

// Copies parameters, then buffers, into a model.
void putBack(const std::vector<at::Tensor>& weights, Model& model);

}  // namespace espalier
