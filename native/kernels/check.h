#pragma once

#include <initializer_list>
#include <string>

#include <ATen/core/List.h>
#include <ATen/core/Tensor.h>

// The checks that all devices share: also of the meta device, where there are shapes and no data.
namespace espalier::kernels {

// One list of an operator's arguments: tensor i of each list belongs together.
struct Stream {
  const char* name;
  at::TensorList tensors;
  bool written = false;
  bool isOptional = false;  // the list may be empty
};

using Masks = c10::List<std::optional<at::Tensor>>;

// Refuses by name: lists of other lengths, tensors of other shapes, devices or memory layouts than their
// partners in the first list, tensors whose elements are not side by side in memory (a channels-last tensor's
// are), and tensors that are written and share memory with another one.
void checkStreams(const char* op, std::initializer_list<Stream> streams);
// No tensor that is written shares memory with another one.
void checkApart(const char* op, at::ArrayRef<Stream> streams);
// `masks` is empty, or has a boolean tensor or none for each tensor of `like`.
void checkMasks(const char* op, const Masks& masks, at::TensorList like);
// A float64 vector on the device of `like` with one element a tensor of the first list.
void checkPerTensor(const char* op, const char* name, const at::Tensor& values, at::TensorList like);
// A float32 tensor of one element on that device, or none.
void checkFlag(const char* op, const char* name, const std::optional<at::Tensor>& flag, at::TensorList like);
// All tensors of `list` have the type of the first.
void checkType(const char* op, const char* name, at::TensorList list, at::ScalarType type);

}  // namespace espalier::kernels
