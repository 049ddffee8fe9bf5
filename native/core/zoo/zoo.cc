#include "core/zoo/zoo.h"

#include <cmath>

#include "core/error.h"
#include "core/zoo/architectures.h"

namespace espalier {
namespace {

using torch::jit::Module;

constexpr int64_t kMostPixels = 4096;
constexpr int64_t kMostChannels = 65536;
constexpr size_t kMostBlocks = 12;

void requireRange(std::string_view name, int64_t value, int64_t least, int64_t most,
                  std::string_view why = "") {
  if (value >= least && value <= most) return;
  fail(ErrorCode::kOutOfRange, "expected an integer from ", least, " to ", most, " for ", name, why,
       ", received ", value);
}

std::vector<int64_t> checkedWidths(const CreateOptions& options, const ArchitectureSpec& spec) {
  if (!options.widths) return spec.widths;
  const std::vector<int64_t>& widths = *options.widths;
  const std::string_view name = enumName(options.architecture);
  if (spec.widths.empty()) {
    fail(ErrorCode::kInvalidArgType, "expected no widths for architecture '", name,
         "' (its channels are fixed), ", "received ", widths.size(),
         " widths; only 'convnet' and 'vgg11' take them");
  }
  const size_t least = spec.countWidths == 0 ? 1 : spec.countWidths;
  const size_t most = spec.countWidths == 0 ? kMostBlocks : spec.countWidths;
  if (widths.size() < least || widths.size() > most) {
    fail(ErrorCode::kOutOfRange, "expected ", least == most ? text(least) : text(least, " to ", most),
         " channel counts for widths of architecture '", name, "', received ", widths.size());
  }
  for (size_t i = 0; i < widths.size(); ++i)
    requireRange(text("widths[", i, "]"), widths[i], 1, kMostChannels);
  return widths;
}

void checkNormalize(const Normalize& normalize, int64_t channels) {
  const auto requireChannels = [&](std::string_view name, const std::vector<double>& values, bool positive) {
    if (static_cast<int64_t>(values.size()) != channels) {
      fail(ErrorCode::kOutOfRange, "expected ", channels, " numbers (one an input channel) for normalize.",
           name, ", received ", values.size());
    }
    for (size_t i = 0; i < values.size(); ++i) {
      if (std::isfinite(values[i]) && (!positive || values[i] > 0)) continue;
      fail(ErrorCode::kOutOfRange, "expected a finite number", positive ? " above 0" : "", " for normalize.",
           name, "[", i, "], received ", values[i]);
    }
  };
  requireChannels("mean", normalize.mean, false);
  requireChannels("std", normalize.std, true);
}

std::vector<int64_t> checkedOptions(const CreateOptions& options, const ArchitectureSpec& spec) {
  requireRange("classes", options.classes, 1, kMostChannels);
  requireRange("inChannels", options.inChannels, 1, kMostChannels);
  std::vector<int64_t> widths = checkedWidths(options, spec);
  const std::string why = text(" of architecture '", enumName(options.architecture), "'");
  requireRange("inputSize", options.inputSize, spec.smallestInput(widths), kMostPixels, why);
  if (options.normalize) checkNormalize(*options.normalize, options.inChannels);
  return widths;
}

template <class T>
Value list(const std::vector<T>& values) {
  return Value(Value::List(values.begin(), values.end()));
}

Value manifestOf(const CreateOptions& options, const std::vector<int64_t>& widths) {
  Value facts;
  facts.set("name", enumName(options.architecture));
  facts.set("classes", options.classes);
  facts.set("inChannels", options.inChannels);
  facts.set("inputSize", options.inputSize);
  if (!widths.empty()) facts.set("widths", list(widths));
  if (options.normalize) {
    Value normalize;
    normalize.set("mean", list(options.normalize->mean));
    normalize.set("std", list(options.normalize->std));
    facts.set("normalize", normalize);
  }
  Value manifest;
  manifest.set("architecture", facts);
  return manifest;
}

Module authorChecked(const CreateOptions& options, const ArchitectureSpec& spec,
                     const std::vector<int64_t>& widths) {
  const Author author;
  Module net = spec.author(author, options, widths);
  Author::initialize(net, options.seed);
  return net;
}

}  // namespace

Module authorModule(const CreateOptions& options) {
  const ArchitectureSpec& spec = architectureSpec(options.architecture);
  return authorChecked(options, spec, checkedOptions(options, spec));
}

std::shared_ptr<Model> createModel(const CreateOptions& options) {
  const ArchitectureSpec& spec = architectureSpec(options.architecture);
  const std::vector<int64_t> widths = checkedOptions(options, spec);
  return Model::fromModule(authorChecked(options, spec, widths), manifestOf(options, widths));
}

}  // namespace espalier
