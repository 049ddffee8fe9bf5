#include <ATen/core/grad_mode.h>
#include <torch/types.h>
#include <torch/utils.h>

#include "core/error.h"
#include "core/graph/failure.h"
#include "core/model.h"

namespace espalier {

namespace {

std::string shapeText(const at::Tensor& tensor) { return c10::str(tensor.sizes()); }

std::string describeOutput(const c10::IValue& output) {
  if (!output.isTensor()) return text("a ", output.tagKind());
  return text("a tensor of ", c10::toString(output.toTensor().scalar_type()), " ",
              shapeText(output.toTensor()));
}

at::Tensor requireLogits(const c10::IValue& output, int64_t samples) {
  if (output.isTensor()) {
    at::Tensor logits = output.toTensor();
    if (logits.is_floating_point() && logits.dim() == 2 && logits.size(0) == samples) return logits;
  }
  fail(ErrorCode::kModelRun, "expected the model to return logits, one float matrix [", samples,
       ", classes], found ", describeOutput(output), "; wrap the model so that it returns its logits alone");
}

int64_t sampleCount(const at::Tensor& inputs) {
  if (inputs.dim() > 0) return inputs.size(0);
  fail(ErrorCode::kModelRun, "expected a batch of inputs [N, ...], received a single number");
}

void checkChannels(const at::Tensor& perChannel, std::string_view name, const at::Tensor& inputs) {
  if (!perChannel.defined()) return;
  const int64_t expected = perChannel.size(1);
  if (inputs.dim() == 4 && (inputs.size(1) == expected || expected == 1)) return;
  fail(ErrorCode::kModelRun, "expected images [N, ", expected, ", H, W] for the model's preprocessing (",
       name, " has ", expected, " values), received ", shapeText(inputs));
}

}  // namespace

at::Tensor Model::preprocess(const at::Tensor& inputs) const {
  if (!inputs.is_floating_point()) return inputs;
  at::Tensor images = inputs;
  if (preprocessing_.size) {
    const int64_t size = *preprocessing_.size;
    if (images.dim() != 4) {
      fail(ErrorCode::kModelRun, "expected images [N, C, H, W] for the model's preprocessing (size ", size,
           "), received ", shapeText(images));
    }
    if (images.size(2) != size || images.size(3) != size) {
      images = at::upsample_bilinear2d(images, {size, size}, /*align_corners=*/false);
    }
  }
  checkChannels(mean_, "mean", images);
  checkChannels(std_, "std", images);
  if (mean_.defined()) images = images - mean_.to(images.scalar_type());
  if (std_.defined()) images = images / std_.to(images.scalar_type());
  // A model of another precision takes its own.
  for (const ParameterInfo& parameter : parameters()) {
    if (parameter.tensor.is_floating_point()) return images.to(parameter.tensor.scalar_type());
  }
  return images;
}

at::Tensor Model::logits(const at::Tensor& inputs, Mode mode) const {
  const int64_t samples = sampleCount(inputs);
  return requireLogits(graph(mode).run({preprocess(inputs)}), samples);
}

at::Tensor Model::trainingLogits(const at::Tensor& inputs, Mode mode) const {
  const int64_t samples = sampleCount(inputs);
  return requireLogits(graph(mode).train({preprocess(inputs)}), samples);
}

at::Tensor Model::logits(const at::Tensor& inputs, Mode mode, const std::vector<TapPoint>& points,
                         Taps& taps) const {
  const int64_t samples = sampleCount(inputs);
  return requireLogits(graph(mode).run({preprocess(inputs)}, points, taps), samples);
}

Model::Frozen Model::frozen() const {
  const auto self = shared_from_this();
  if (auto run = graph(Mode::kEval).frozen()) {
    return {[self, run = std::move(run)](const at::Tensor& inputs) {
              const at::NoGradGuard noGrad;
              const int64_t samples = sampleCount(inputs);
              return requireLogits(run({self->preprocess(inputs)}), samples);
            },
            true};
  }
  return {[self](const at::Tensor& inputs) {
            const at::NoGradGuard noGrad;
            return self->logits(inputs, Mode::kEval);
          },
          false};
}

}  // namespace espalier
