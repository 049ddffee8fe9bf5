#pragma once

#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#include <torch/torch.h>

#include "check.h"
#include "core/file.h"
#include "core/model.h"

// The models that test/parity/models.py wrote, with what PyTorch makes of them. Cases over them exist only
// where ESPALIER_TEST_MODELS names their folder.
namespace espalier::test {

inline const char* modelsFolder() { return std::getenv("ESPALIER_TEST_MODELS"); }

struct Fixture {
  std::string name;     // "resnet"
  std::string variant;  // "scripted", "traced-eval", "traced-train", "frozen"

  std::string label() const { return name + " " + variant; }
  std::string path() const { return text(modelsFolder(), "/", name, ".", variant, ".pt"); }
  std::shared_ptr<Model> load() const { return Model::load(path()); }
};

inline std::vector<Fixture> fixtures() {
  std::vector<Fixture> all;
  for (const auto& entry : std::filesystem::directory_iterator(modelsFolder())) {
    const std::string file = entry.path().filename().string();
    if (!file.ends_with(".pt")) continue;
    const size_t dot = file.find('.');
    all.push_back({file.substr(0, dot), file.substr(dot + 1, file.size() - dot - 4)});
  }
  std::sort(all.begin(), all.end(), [](const Fixture& a, const Fixture& b) { return a.label() < b.label(); });
  return all;
}

// The tensors inside a value, in the order of positions and of sorted keys.
inline void flatten(const c10::IValue& value, std::vector<at::Tensor>& tensors) {
  if (value.isTensor()) {
    tensors.push_back(value.toTensor());
  } else if (value.isTuple()) {
    for (const auto& item : value.toTupleRef().elements()) flatten(item, tensors);
  } else if (value.isList()) {
    for (const c10::IValue& item : value.toListRef()) flatten(item, tensors);
  } else if (value.isGenericDict()) {
    std::map<std::string, c10::IValue> sorted;
    for (const auto& item : value.toGenericDict()) sorted[item.key().toStringRef()] = item.value();
    for (const auto& item : sorted) flatten(item.second, tensors);
  }
}

inline std::vector<at::Tensor> flat(const c10::IValue& value) {
  std::vector<at::Tensor> tensors;
  flatten(value, tensors);
  return tensors;
}

struct Reference {
  std::vector<c10::IValue> inputs;
  std::vector<at::Tensor> eval;
  std::vector<at::Tensor> train;
  c10::Dict<c10::IValue, c10::IValue> gradients{c10::AnyType::get(), c10::AnyType::get()};
  c10::Dict<c10::IValue, c10::IValue> buffers{c10::AnyType::get(), c10::AnyType::get()};

  explicit Reference(const Fixture& fixture) {
    const std::string bytes = readFile(text(modelsFolder(), "/", fixture.name, ".reference"), 1 << 30);
    const c10::IValue data = torch::pickle_load({bytes.begin(), bytes.end()});
    const auto dict = data.toGenericDict();
    inputs = dict.at("inputs").toListRef().vec();
    // A dictionary comes back with keys of any type; the model takes strings.
    for (c10::IValue& input : inputs) {
      if (!input.isGenericDict()) continue;
      c10::Dict<std::string, at::Tensor> typed;
      for (const auto& item : input.toGenericDict()) {
        typed.insert(item.key().toStringRef(), item.value().toTensor());
      }
      input = typed;
    }
    eval = flat(dict.at("eval"));
    train = flat(dict.at("train"));
    gradients = dict.at("gradients").toGenericDict();
    buffers = dict.at("buffers").toGenericDict();
  }
};

// Both sides of a comparison run on one thread, as the references did.
struct OneThread {
  int before = at::get_num_threads();
  OneThread() { at::set_num_threads(1); }
  ~OneThread() { at::set_num_threads(before); }
};

inline double difference(const at::Tensor& actual, const at::Tensor& expected) {
  if (actual.sizes() != expected.sizes() || actual.scalar_type() != expected.scalar_type()) return 1e300;
  if (actual.numel() == 0 || at::equal(actual, expected)) return 0;
  const at::Tensor a = actual.detach().to(at::kDouble);
  const at::Tensor b = expected.detach().to(at::kDouble);
  return (a - b).abs().max().item<double>() / std::max(b.abs().max().item<double>(), 1e-30);
}

// Of two lists, relative to the largest value of each tensor.
inline double difference(const std::vector<at::Tensor>& actual, const std::vector<at::Tensor>& expected) {
  if (actual.size() != expected.size()) return 1e300;
  double largest = 0;
  for (size_t i = 0; i < actual.size(); ++i) largest = std::max(largest, difference(actual[i], expected[i]));
  return largest;
}

inline at::Tensor squaredSum(const c10::IValue& output) {
  at::Tensor sum;
  for (const at::Tensor& tensor : flat(output)) {
    const at::Tensor term = tensor.to(at::kFloat).square().sum();
    sum = sum.defined() ? sum + term : term;
  }
  return sum;
}

}  // namespace espalier::test
