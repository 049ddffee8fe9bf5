#include "methods/authorize/non_transferable_learning_adversaries.h"

#include <algorithm>
#include <string>

#include <torch/utils.h>

#include "core/initialize.h"

namespace espalier::non_transferable_learning {

namespace {

constexpr double kDeviation = 0.02;  // of fresh weights, as in DCGAN
constexpr double kEpsilon = 1e-5;
constexpr double kCriticEpsilon = 0.8;  // as published, where it was meant as a momentum
constexpr double kSlope = 0.2;
constexpr double kDropped = 0.25;
constexpr int64_t kDoublings = 4;

// The side that doubles four times to at least this one.
int64_t seedSide(int64_t side) { return (side + (1 << kDoublings) - 1) >> kDoublings; }

at::Tensor fresh(const std::vector<int64_t>& sizes, uint64_t seed, const std::string& path) {
  const at::Tensor weight = torch::empty(sizes);
  fillNormal(weight, seed, path);
  return weight * kDeviation;
}

at::Tensor normalised(const at::Tensor& x, const at::Tensor& scale, const at::Tensor& shift, double epsilon) {
  return at::batch_norm(x, scale, shift, {}, {}, /*training=*/true, /*momentum=*/0, epsilon,
                        /*cudnn_enabled=*/true);
}

void own(std::vector<at::Tensor>& parameters, c10::Device device) {
  for (at::Tensor& parameter : parameters) parameter = parameter.to(device).requires_grad_();
}

std::vector<int64_t> artistWidths(int64_t channels, int64_t images) {
  return {channels, std::max<int64_t>(channels / 2, 1), std::max<int64_t>(channels / 4, 1),
          std::max<int64_t>(channels / 8, 1), images};
}

}  // namespace

Artist::Artist(const AugmentationOptions& options, int64_t classes, std::vector<int64_t> shape, uint64_t seed,
               c10::Device device)
    : classes_(classes), shape_(std::move(shape)) {
  const std::vector<int64_t> widths = artistWidths(options.channels, shape_[0]);
  const int64_t pixels = seedSide(shape_[1]) * seedSide(shape_[2]);
  parameters_ = {fresh({widths[0] * pixels, options.latent + classes}, seed, "seed"),
                 torch::zeros({widths[0] * pixels})};
  std::vector<size_t> convolutions;
  for (size_t i = 0; i + 1 < widths.size(); ++i) {
    for (const size_t at : {parameters_.size(), parameters_.size() + 1}) convolutions.push_back(at);
    parameters_.push_back(fresh({widths[i], widths[i + 1], 4, 4}, seed, std::to_string(i)));
    parameters_.push_back(torch::zeros({widths[i + 1]}));
    if (i + 2 == widths.size()) continue;
    parameters_.push_back(1 + fresh({widths[i + 1]}, seed, std::to_string(i) + ".norm"));
    parameters_.push_back(torch::zeros({widths[i + 1]}));
  }
  own(parameters_, device);
  for (const size_t at : convolutions) convolutions_.push_back(parameters_[at]);
}

at::Tensor Artist::operator()(const at::Tensor& noise, const at::Tensor& labels) const {
  size_t at = 0;
  const auto next = [&]() -> const at::Tensor& { return parameters_[at++]; };
  const at::Tensor given = torch::cat({noise, at::one_hot(labels, classes_).to(noise.scalar_type())}, 1);
  const at::Tensor& weight = next();
  const at::Tensor& bias = next();
  at::Tensor x =
      at::linear(given, weight, bias).view({noise.size(0), -1, seedSide(shape_[1]), seedSide(shape_[2])});
  for (int64_t i = 0; i < kDoublings; ++i) {
    const at::Tensor& kernel = next();
    const at::Tensor& shift = next();
    x = at::conv_transpose2d(x, kernel, shift, /*stride=*/2, /*padding=*/1);
    if (i + 1 == kDoublings) break;
    const at::Tensor& scale = next();
    const at::Tensor& offset = next();
    x = at::relu(normalised(x, scale, offset, kEpsilon));
  }
  x = (x.tanh() + 1) / 2;
  return x.slice(2, 0, shape_[1]).slice(3, 0, shape_[2]);
}

void Artist::hold(int64_t direction, int64_t directions) const {
  const torch::NoGradGuard noGrad;
  for (const at::Tensor& parameter : convolutions_) {
    if (parameter.size(0) % directions != 0 || !parameter.grad().defined()) continue;
    parameter.grad().slice(0, 0, parameter.size(0) / directions * direction).zero_();
  }
}

Critic::Critic(const AugmentationOptions& options, int64_t classes, const std::vector<int64_t>& shape,
               uint64_t seed, c10::Device device) {
  const auto width = [&](int64_t part) { return std::max<int64_t>(options.channels / part, 1); };
  const std::vector<int64_t> widths = {shape[0], width(16), width(8), width(4), width(2)};
  int64_t height = shape[1];
  int64_t across = shape[2];
  for (size_t i = 0; i + 1 < widths.size(); ++i) {
    parameters_.push_back(fresh({widths[i + 1], widths[i], 3, 3}, seed, std::to_string(i)));
    parameters_.push_back(torch::zeros({widths[i + 1]}));
    height = (height + 1) / 2;
    across = (across + 1) / 2;
    if (i == 0) continue;
    parameters_.push_back(1 + fresh({widths[i + 1]}, seed, std::to_string(i) + ".norm"));
    parameters_.push_back(torch::zeros({widths[i + 1]}));
  }
  const int64_t features = widths.back() * height * across;
  for (const int64_t outputs : {int64_t{1}, classes}) {
    const at::Tensor weight = torch::empty({outputs, features});
    const at::Tensor bias = torch::empty({outputs});
    initializeLayer(weight, bias, seed, outputs == 1 ? "validity" : "class");
    parameters_.push_back(weight);
    parameters_.push_back(bias);
  }
  own(parameters_, device);
}

Critic::Opinion Critic::operator()(const at::Tensor& images,
                                   const std::optional<at::Generator>& dropping) const {
  size_t at = 0;
  const auto next = [&]() -> const at::Tensor& { return parameters_[at++]; };
  at::Tensor x = images * 2 - 1;
  for (int64_t i = 0; i < kDoublings; ++i) {
    const at::Tensor& kernel = next();
    const at::Tensor& shift = next();
    x = at::leaky_relu(at::conv2d(x, kernel, shift, /*stride=*/2, /*padding=*/1), kSlope);
    if (dropping) {
      const at::Tensor kept = at::rand({x.size(0), x.size(1), 1, 1}, dropping).ge(kDropped);
      x = x * (kept.to(x.scalar_type()) / (1 - kDropped)).to(x.device());
    }
    if (i == 0) continue;
    const at::Tensor& scale = next();
    const at::Tensor& offset = next();
    x = normalised(x, scale, offset, kCriticEpsilon);
  }
  Opinion opinion;
  opinion.features = x.flatten(1);
  const auto head = [&] {
    const at::Tensor& weight = next();
    const at::Tensor& bias = next();
    return at::linear(opinion.features, weight, bias);
  };
  opinion.validity = head().squeeze(1);
  opinion.logits = head();
  return opinion;
}

}  // namespace espalier::non_transferable_learning
