#include "kernels/check.h"

#include <algorithm>
#include <vector>

namespace espalier::kernels {

namespace {

std::string nameOf(const Stream& stream, size_t index) {
  return std::string(stream.name) + "[" + std::to_string(index) + "]";
}

// The same layout in memory: a stride along a dimension of one element says nothing, and differs between
// tensors that are otherwise laid out alike (the gradient of a 1x1 convolution).
bool isLaidOutAlike(const at::Tensor& a, const at::Tensor& b) {
  for (int64_t i = 0; i < a.dim(); ++i) {
    if (a.size(i) != 1 && a.stride(i) != b.stride(i)) return false;
  }
  return true;
}

void checkPartner(const char* op, const std::string& name, const at::Tensor& tensor,
                  const std::string& partnerName, const at::Tensor& partner) {
  TORCH_CHECK_VALUE(tensor.sizes() == partner.sizes(), op, ": expected ", name, " of shape ", partner.sizes(),
                    " as ", partnerName, ", found ", tensor.sizes());
  TORCH_CHECK_VALUE(tensor.device() == partner.device(), op, ": expected ", name, " on ", partner.device(),
                    " as ", partnerName, ", found ", tensor.device());
  TORCH_CHECK_VALUE(tensor.numel() <= 1 || isLaidOutAlike(tensor, partner), op, ": expected ", name,
                    " with strides ", partner.strides(), " as ", partnerName, ", found ", tensor.strides(),
                    ": copy it into that layout first");
}

struct Interval {
  const char* begin;
  const char* end;
  bool written;
  size_t stream;
  size_t index;
};

}  // namespace

void checkApart(const char* op, at::ArrayRef<Stream> streams) {
  std::vector<Interval> intervals;
  for (size_t s = 0; s < streams.size(); ++s) {
    for (size_t i = 0; i < streams[s].tensors.size(); ++i) {
      const at::Tensor& tensor = streams[s].tensors[i];
      if (tensor.numel() == 0 || tensor.is_meta()) continue;
      const char* begin = static_cast<const char*>(tensor.const_data_ptr());
      intervals.push_back({begin, begin + tensor.nbytes(), streams[s].written, s, i});
    }
  }
  std::sort(intervals.begin(), intervals.end(),
            [](const Interval& a, const Interval& b) { return a.begin < b.begin; });
  // What reaches furthest so far, of all tensors and of the written ones.
  const Interval* all = nullptr;
  const Interval* written = nullptr;
  for (const Interval& interval : intervals) {
    const Interval* before = interval.written ? all : written;
    TORCH_CHECK_VALUE(before == nullptr || before->end <= interval.begin, op, ": expected ",
                      nameOf(streams[before->stream], before->index), " and ",
                      nameOf(streams[interval.stream], interval.index),
                      " in memory of their own, found them sharing some: one of them is written");
    if (all == nullptr || interval.end > all->end) all = &interval;
    if (interval.written && (written == nullptr || interval.end > written->end)) written = &interval;
  }
}

void checkStreams(const char* op, std::initializer_list<Stream> given) {
  std::vector<Stream> streams;
  for (const Stream& stream : given) {
    if (!stream.isOptional || !stream.tensors.empty()) streams.push_back(stream);
  }
  const Stream& first = streams.front();
  for (const Stream& stream : streams) {
    TORCH_CHECK_VALUE(stream.tensors.size() == first.tensors.size(), op, ": expected ", first.tensors.size(),
                      " ", stream.name, ", one for each of ", first.name, ", found ", stream.tensors.size());
  }
  for (size_t i = 0; i < first.tensors.size(); ++i) {
    TORCH_CHECK_VALUE(first.tensors[i].is_non_overlapping_and_dense(), op, ": expected ", nameOf(first, i),
                      " with its elements side by side in memory, found strides ", first.tensors[i].strides(),
                      " for shape ", first.tensors[i].sizes(), ": call contiguous() first");
    TORCH_CHECK_VALUE(first.tensors[i].device() == first.tensors[0].device(), op, ": expected ",
                      nameOf(first, i), " on ", first.tensors[0].device(), " as the others, found ",
                      first.tensors[i].device());
    for (const Stream& stream : streams) {
      checkPartner(op, nameOf(stream, i), stream.tensors[i], nameOf(first, i), first.tensors[i]);
    }
  }
  checkApart(op, streams);
}

void checkMasks(const char* op, const Masks& masks, at::TensorList like) {
  if (masks.empty()) return;
  TORCH_CHECK_VALUE(masks.size() == like.size(), op, ": expected ", like.size(), " masks, found ",
                    masks.size());
  for (size_t i = 0; i < masks.size(); ++i) {
    const std::optional<at::Tensor> mask = masks.get(i);
    if (!mask || !mask->defined()) continue;
    TORCH_CHECK_TYPE(mask->scalar_type() == at::kBool, op, ": expected a boolean masks[", i, "], found ",
                     mask->scalar_type());
    checkPartner(op, nameOf({"masks", {}}, i), *mask, nameOf({"weights", {}}, i), like[i]);
  }
}

void checkPerTensor(const char* op, const char* name, const at::Tensor& values, at::TensorList like) {
  const auto count = static_cast<int64_t>(like.size());
  TORCH_CHECK_TYPE(values.scalar_type() == at::kDouble, op, ": expected float64 ", name, ", found ",
                   values.scalar_type());
  TORCH_CHECK_VALUE(values.dim() == 1 && values.size(0) == count && values.is_contiguous(), op, ": expected ",
                    name, " of shape [", count, "], one a tensor, found ", values.sizes());
  TORCH_CHECK_VALUE(like.empty() || values.device() == like[0].device(), op, ": expected ", name, " on ",
                    like[0].device(), ", found ", values.device());
}

void checkFlag(const char* op, const char* name, const std::optional<at::Tensor>& flag, at::TensorList like) {
  if (!flag || !flag->defined()) return;
  TORCH_CHECK_TYPE(flag->scalar_type() == at::kFloat && flag->numel() == 1, op, ": expected ", name,
                   " to be one float32, found ", flag->numel(), " of ", flag->scalar_type());
  TORCH_CHECK_VALUE(like.empty() || flag->device() == like[0].device(), op, ": expected ", name, " on ",
                    like[0].device(), ", found ", flag->device());
}

void checkType(const char* op, const char* name, at::TensorList list, at::ScalarType type) {
  for (size_t i = 0; i < list.size(); ++i) {
    TORCH_CHECK_TYPE(list[i].scalar_type() == type, op, ": expected ", type, " for ", name, "[", i,
                     "], found ", list[i].scalar_type());
  }
}

}  // namespace espalier::kernels
