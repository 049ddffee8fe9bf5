#include "methods/authorize/mask_pruning_generator.h"

#include <algorithm>
#include <cmath>

#include <torch/utils.h>

#include "core/attack/transfer.h"
#include "core/error.h"
#include "core/initialize.h"
#include "core/random.h"

namespace espalier::mask_pruning {

namespace {

constexpr double kSlope = 0.2;
constexpr double kEpsilon = 1e-5;

at::Tensor normalised(const at::Tensor& x, const at::Tensor& scale, const at::Tensor& shift) {
  return at::batch_norm(x, scale, shift, {}, {}, /*training=*/true, /*momentum=*/0, kEpsilon,
                        /*cudnn_enabled=*/true);
}

at::Tensor doubled(const at::Tensor& x) { return at::upsample_nearest2d(x, {2 * x.size(2), 2 * x.size(3)}); }

}  // namespace

ImageGenerator::ImageGenerator(const GeneratorOptions& options, int64_t classes, std::vector<int64_t> shape,
                               uint64_t seed, c10::Device device)
    : classes_(classes), shape_(std::move(shape)) {
  const int64_t height = (shape_[1] + 3) / 4;
  const int64_t width = (shape_[2] + 3) / 4;
  const int64_t wide = options.channels;
  const int64_t narrow = wide / 2;
  const auto layer = [&](const char* path, std::vector<int64_t> sizes) {
    const at::Tensor weight = torch::empty(sizes);
    const at::Tensor bias = torch::empty({sizes[0]});
    initializeLayer(weight, bias, seed, path);
    parameters_.push_back(weight);
    parameters_.push_back(bias);
  };
  const auto norm = [&](int64_t channels) {
    parameters_.push_back(torch::ones({channels}));
    parameters_.push_back(torch::zeros({channels}));
  };
  layer("seed", {wide * height * width, options.latent + classes});
  norm(wide);
  layer("first", {wide, wide, 3, 3});
  norm(wide);
  layer("second", {narrow, wide, 3, 3});
  norm(narrow);
  layer("image", {shape_[0], narrow, 3, 3});
  for (at::Tensor& parameter : parameters_) parameter = parameter.to(device).requires_grad_();
}

at::Tensor ImageGenerator::operator()(const at::Tensor& noise, const at::Tensor& labels) const {
  size_t at = 0;
  const auto next = [&]() -> const at::Tensor& { return parameters_[at++]; };
  const auto norm = [&](const at::Tensor& x) {
    const at::Tensor& scale = next();
    const at::Tensor& shift = next();
    return normalised(x, scale, shift);
  };
  const auto convolve = [&](const at::Tensor& x) {
    const at::Tensor& weight = next();
    const at::Tensor& bias = next();
    return at::conv2d(x, weight, bias, /*stride=*/1, /*padding=*/1);
  };
  const at::Tensor given = torch::cat({noise, at::one_hot(labels, classes_).to(noise.scalar_type())}, 1);
  const at::Tensor& weight = next();
  const at::Tensor& bias = next();
  at::Tensor x =
      at::linear(given, weight, bias).view({noise.size(0), -1, (shape_[1] + 3) / 4, (shape_[2] + 3) / 4});
  x = convolve(doubled(norm(x)));
  x = at::leaky_relu(norm(x), kSlope);
  x = convolve(doubled(x));
  x = at::leaky_relu(norm(x), kSlope);
  x = (convolve(x).tanh() + 1) / 2;
  return x.slice(2, 0, shape_[1]).slice(3, 0, shape_[2]);
}

ImageMemory::ImageMemory(int64_t capacity, const std::vector<int64_t>& shape, int64_t classes,
                         c10::Device device) {
  std::vector<int64_t> sizes = {capacity};
  sizes.insert(sizes.end(), shape.begin(), shape.end());
  images_ = torch::zeros(sizes, device);
  logits_ = torch::zeros({capacity, classes}, device);
}

void ImageMemory::add(const at::Tensor& images, const at::Tensor& logits, at::Generator generator) {
  const torch::NoGradGuard noGrad;
  const int64_t capacity = images_.size(0);
  const int64_t appended = std::min(images.size(0), capacity - size_);
  std::vector<at::Tensor> slots = {at::arange(size_, size_ + appended, at::kLong)};
  const int64_t rest = std::min(images.size(0) - appended, capacity);
  if (rest > 0) slots.push_back(at::randperm(capacity, std::move(generator)).slice(0, 0, rest));
  const at::Tensor index = torch::cat(slots).to(images_.device());
  const int64_t taken = index.size(0);
  images_.index_copy_(0, index, images.slice(0, 0, taken).detach());
  logits_.index_copy_(0, index, logits.slice(0, 0, taken).detach());
  size_ += appended;
}

ImageMemory::Draw ImageMemory::draw(int64_t count, at::Generator generator) const {
  const at::Tensor index =
      at::randint(0, size_, {count}, std::move(generator), at::TensorOptions().dtype(at::kLong))
          .to(images_.device());
  return {images_.index_select(0, index), logits_.index_select(0, index)};
}

int64_t ImageMemory::fewest() const {
  const at::Tensor answers = logits_.slice(0, 0, size_).argmax(1).cpu();
  return at::bincount(answers, {}, logits_.size(1)).min().item<int64_t>();
}

at::Tensor normStatistics(const std::vector<at::Tensor>& inputs, const std::vector<at::Tensor>& means,
                          const std::vector<at::Tensor>& variances) {
  at::Tensor sum;
  for (size_t i = 0; i < inputs.size(); ++i) {
    const at::Tensor rows = inputs[i].transpose(0, 1).flatten(1);
    const at::Tensor mean = rows.mean(1);
    const at::Tensor variance = (rows - mean.unsqueeze(1)).square().mean(1);
    const at::Tensor term = (mean - means[i]).square().mean() + (variance - variances[i]).square().mean();
    sum = sum.defined() ? sum + term : term;
  }
  return sum;
}

at::Tensor diversity(const at::Tensor& logits) {
  const at::Tensor mean = logits.softmax(1).mean(0);
  return -(mean * (mean + 1e-12).log()).sum();
}

at::Tensor disagreement(const at::Tensor& logits, const at::Tensor& others) {
  const at::Tensor p = logits.softmax(1);
  const at::Tensor q = others.softmax(1);
  const at::Tensor middle = ((p + q) / 2 + 1e-12).log();
  const auto divergence = [&](const at::Tensor& of, const at::Tensor& from) {
    return (of * (from.log_softmax(1) - middle)).sum(1);
  };
  return ((divergence(p, logits) + divergence(q, others)) / 2).mean();
}

at::Tensor variation(const at::Tensor& images) {
  const auto along = [&](int64_t dimension) {
    const int64_t length = images.size(dimension);
    return (images.slice(dimension, 1) - images.slice(dimension, 0, length - 1)).abs().sum();
  };
  return (along(2) + along(3)) / images.size(0);
}

Teacher::Teacher(std::shared_ptr<Model> model) : model_(std::move(model)) {
  const std::vector<Layer>& layers = model_->layers();
  const auto buffer = [&](const std::string& path) {
    for (const ParameterInfo& info : model_->buffers()) {
      if (info.path == path) return info.tensor.detach();
    }
    return at::Tensor();
  };
  for (size_t i = 0; i < layers.size(); ++i) {
    if (layers[i].kind != LayerKind::kBatchNorm || layers[i].calls != 1) continue;
    const at::Tensor mean = buffer(layers[i].path + ".running_mean");
    const at::Tensor variance = buffer(layers[i].path + ".running_var");
    if (!mean.defined() || !variance.defined()) continue;
    points_.push_back({i, TapPoint::Side::kInput});
    means_.push_back(mean);
    variances_.push_back(variance);
  }
  points_.push_back({headLayer(*model_), TapPoint::Side::kInput});
}

Teacher::Seen Teacher::see(const at::Tensor& images) const {
  Taps taps;
  Seen seen;
  seen.logits = model_->logits(images, Mode::kEval, points_, taps);
  std::vector<at::Tensor> inputs;
  for (size_t i = 0; i + 1 < taps.size(); ++i) inputs.push_back(taps[i].front());
  if (hasNorms()) seen.statistics = normStatistics(inputs, means_, variances_);
  if (taps.back().size() == 1) seen.features = taps.back().front().flatten(1);
  return seen;
}

at::Tensor Teacher::answer(const at::Tensor& images) const {
  const torch::NoGradGuard noGrad;
  return model_->logits(images, Mode::kEval);
}

}  // namespace espalier::mask_pruning
