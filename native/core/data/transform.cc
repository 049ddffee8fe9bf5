#include "core/data/transform.h"

#include "core/data/array_file.h"
#include "core/error.h"

namespace espalier {

namespace {

constexpr int64_t kMaxSize = 16384;
constexpr int64_t kMaxChannels = 4096;
constexpr double kLargestByte = 255;

at::Tensor padded(const at::Tensor& samples, int64_t size) {
  const int64_t top = (size - samples.size(2)) / 2, left = (size - samples.size(3)) / 2;
  const int64_t bottom = size - samples.size(2) - top, right = size - samples.size(3) - left;
  return at::constant_pad_nd(samples, {left, right, top, bottom});
}

// In one pass, also from the stride 0 of a repeated channel.
at::Tensor toFloat(const at::Tensor& samples) {
  if (samples.scalar_type() == at::kFloat) return samples.contiguous();
  return samples.to(samples.options().dtype(at::kFloat), false, true, at::MemoryFormat::Contiguous)
      .div_(kLargestByte);
}

}  // namespace

void Transform::requireImages(const char* what, int64_t size) const {
  if (shape_.size() != 3 || (type_ != at::kByte && type_ != at::kFloat)) {
    fail(ErrorCode::kDataInvalid, what, " expects uint8 or float32 images [C, H, W], found samples of ",
         c10::toString(type_), " ", shapeText(shape_));
  }
  if (size < 1 || size > kMaxSize) {
    fail(ErrorCode::kOutOfRange, "expected 1 to ", kMaxSize, " for size of ", what, ", received ", size);
  }
}

Transform Transform::pad(int64_t size) const {
  requireImages("pad", size);
  if (size < shape_[1] || size < shape_[2]) {
    fail(ErrorCode::kOutOfRange, "expected at least ", std::max(shape_[1], shape_[2]),
         " for size of pad (the images' larger side), received ", size, "; resize makes images smaller");
  }
  return with({Kind::kPad, size});
}

Transform Transform::resize(int64_t size) const {
  requireImages("resize", size);
  return with({Kind::kResize, size});
}

Transform Transform::repeatChannel(int64_t channels) const {
  requireImages("repeating channels", 1);
  if (channels < 1 || channels > kMaxChannels || (shape_[0] != 1 && shape_[0] != channels)) {
    fail(ErrorCode::kOutOfRange, "expected ", shape_[0] == 1 ? text("1 to ", kMaxChannels) : text(shape_[0]),
         " for channels (only a single channel is repeated), received ", channels);
  }
  return with({Kind::kChannels, channels});
}

Transform Transform::overlay(at::Tensor pattern, std::string name) const {
  requireImages("overlay", 1);
  if (pattern.sizes() != at::IntArrayRef(shape_) || pattern.scalar_type() != at::kFloat) {
    fail(ErrorCode::kOutOfRange, "expected a float32 pattern of shape ", shapeText(shape_),
         " for an overlay, received ", c10::toString(pattern.scalar_type()), " ", pattern.sizes());
  }
  Transform next = *this;
  next.steps_.push_back({Kind::kOverlay, 0, std::move(pattern), std::move(name)});
  return next;
}

Transform Transform::with(const Step& step) const {
  Transform next = *this;
  if (step.kind == Kind::kChannels)
    next.shape_[0] = step.value;
  else
    next.shape_[1] = next.shape_[2] = step.value;
  if (next.shape_ != shape_) next.steps_.push_back(step);
  return next;
}

at::Tensor Transform::operator()(at::Tensor samples) const {
  if (type_ == at::kInt || type_ == at::kLong) return samples.to(at::kLong);
  for (const Step& step : steps_) {
    switch (step.kind) {
      case Kind::kPad:
        samples = padded(samples, step.value);
        break;
      case Kind::kResize:
        samples = at::upsample_bilinear2d(toFloat(samples), {step.value, step.value}, false);
        break;
      case Kind::kChannels:
        samples = samples.expand({-1, step.value, -1, -1});
        break;
      case Kind::kOverlay:
        samples = (toFloat(samples) + step.pattern.to(samples.device())).clamp_max_(1);
        break;
    }
  }
  return toFloat(samples);
}

std::string Transform::describe() const {
  std::string out;
  for (const Step& step : steps_) {
    if (!out.empty()) out += ", ";
    if (step.kind == Kind::kOverlay) {
      out += text("overlay ", step.name);
      continue;
    }
    const char* name = step.kind == Kind::kPad ? "pad" : step.kind == Kind::kResize ? "resize" : "channels";
    out += text(name, " ", step.value);
  }
  return out;
}

}  // namespace espalier
