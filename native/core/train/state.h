#pragma once

#include <cmath>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <torch/types.h>

#include "core/convert.h"
#include "core/model.h"

// The state of a training: a struct whose fields(visitor) names every network, tensor, optimiser, generator,
// counter and best iterate. What is not named there does not survive a resume, nor the guard's replay.
namespace espalier {

// A tensor that is never changed in place once it is there, such as a snapshot: copies of a state share it.
struct ConstantTensor {
  at::Tensor value;
};

// Marks what a training makes on its way: `visit("epochs", epochs, kCollected)`. All else is there before it
// begins, and a checkpoint holds as much of it, of the same shapes.
struct Collected {};
inline constexpr Collected kCollected;

// A state as plain tensors and values.
struct StateArchive {
  std::vector<std::pair<std::string, at::Tensor>> tensors;
  Value scalars = Value::Map{};
};

namespace detail {

// JSON has no NaN and no infinities, but a counter of a state may be one.
Value scalarFromDouble(double value);
double doubleFromScalar(const Value& value);

}  // namespace detail

// Collects the fields of a state. With `copy` the tensors are the archive's own, else they are the state's.
class StateWriter {
 public:
  explicit StateWriter(bool copy) : copy_(copy) {}

  template <class T, class Spec = FieldSpec>
  void operator()(const char* name, T& member, const Spec& = {}) {
    const std::string outer = std::exchange(prefix_, detail::join(prefix_, name));
    write(member);
    prefix_ = outer;
  }
  StateArchive take() { return std::move(archive_); }

 private:
  void tensor(const std::string& name, const at::Tensor& value);
  // Not const: the template would take what is not.
  void write(at::Tensor& value);
  void write(ConstantTensor& value);
  void write(at::Generator& value);
  void write(std::shared_ptr<Model>& model);

  template <class T>
  void write(T& member) {
    if constexpr (std::is_same_v<T, double>) {
      archive_.scalars.set(prefix_, detail::scalarFromDouble(member));
    } else if constexpr (std::is_same_v<T, bool> || std::is_same_v<T, int64_t> ||
                         std::is_same_v<T, std::string> || std::is_same_v<T, Value>) {
      archive_.scalars.set(prefix_, member);
    } else if constexpr (std::is_enum_v<T>) {
      archive_.scalars.set(prefix_, enumName(member));
    } else if constexpr (trait::kIs<T, std::optional>) {
      archive_.scalars.set(prefix_ + "?", member.has_value());
      if (member) (*this)("value", *member);
    } else if constexpr (trait::kIs<T, std::vector>) {
      archive_.scalars.set(prefix_ + "#", static_cast<int64_t>(member.size()));
      for (size_t i = 0; i < member.size(); ++i) (*this)(std::to_string(i).c_str(), member[i]);
    } else {
      static_assert(HasFields<T>,
                    "a state holds tensors, models, generators, plain values and structs of them");
      member.fields(*this);
    }
  }

  bool copy_;
  std::string prefix_;
  StateArchive archive_;
};

// Where an archive comes from.
enum class Origin {
  kRun,   // it was captured from this state
  kFile,  // its checksum is right, and nothing else is known of it
};

// Puts an archive back into a state of the same struct. Tensors of the same shape are copied in place, so
// that what shares them (a module's parameters, an optimiser's list) stays tied to them. One of a file must
// fit the state as it is before the training: ERR_CHECKPOINT_INVALID.
class StateReader {
 public:
  StateReader(const StateArchive& archive, c10::Device device, Origin origin);

  template <class T, class Spec = FieldSpec>
  void operator()(const char* name, T& member, const Spec& = {}) {
    const std::string outer = std::exchange(prefix_, detail::join(prefix_, name));
    const bool outerFits = mustFit_;
    if constexpr (std::is_same_v<Spec, Collected>) mustFit_ = false;
    read(member);
    mustFit_ = outerFits;
    prefix_ = outer;
  }

 private:
  const at::Tensor& tensor(const std::string& name) const;
  const Value& scalar(const std::string& name) const;
  // Of the list that is being read: each item has an entry of its own.
  size_t count(size_t before) const;
  // Whether what is being read is there; `before`: in the state.
  bool present(bool before) const;
  void read(at::Tensor& value);
  void read(ConstantTensor& value);
  void read(at::Generator& value);
  void read(std::shared_ptr<Model>& model);

  template <class T>
  void read(T& member) {
    if constexpr (std::is_same_v<T, double>) {
      member = detail::doubleFromScalar(scalar(prefix_));
    } else if constexpr (std::is_same_v<T, Value>) {
      member = scalar(prefix_);
    } else if constexpr (std::is_same_v<T, bool> || std::is_same_v<T, int64_t> ||
                         std::is_same_v<T, std::string> || std::is_enum_v<T>) {
      fromValue(member, scalar(prefix_), prefix_);
    } else if constexpr (trait::kIs<T, std::optional>) {
      if (!present(member.has_value())) {
        member.reset();
        return;
      }
      if (!member) member.emplace();
      (*this)("value", *member);
    } else if constexpr (trait::kIs<T, std::vector>) {
      member.resize(count(member.size()));
      for (size_t i = 0; i < member.size(); ++i) (*this)(std::to_string(i).c_str(), member[i]);
    } else {
      static_assert(HasFields<T>,
                    "a state holds tensors, models, generators, plain values and structs of them");
      member.fields(*this);
    }
  }

  std::map<std::string, at::Tensor> tensors_;
  const Value& scalars_;
  c10::Device device_;
  bool mustFit_;
  std::string prefix_;
};

// Collects the networks of a state, so that the guard can look into them.
class ModelFinder {
 public:
  template <class T, class Spec = FieldSpec>
  void operator()(const char*, T& member, const Spec& = {}) {
    if constexpr (std::is_same_v<T, std::shared_ptr<Model>>) {
      if (member) models_.push_back(member);
    } else if constexpr (trait::kIs<T, std::vector> || trait::kIs<T, std::optional>) {
      if constexpr (trait::kIs<T, std::vector>) {
        for (auto& item : member) (*this)("", item);
      } else if (member) {
        (*this)("", *member);
      }
    } else if constexpr (HasFields<T>) {
      member.fields(*this);
    }
  }
  std::vector<std::shared_ptr<Model>> take() { return std::move(models_); }

 private:
  std::vector<std::shared_ptr<Model>> models_;
};

template <class State>
StateArchive captureState(State& state, bool copy) {
  StateWriter writer(copy);
  state.fields(writer);
  return writer.take();
}

template <class State>
void restoreState(State& state, const StateArchive& archive, c10::Device device, Origin origin) {
  StateReader reader(archive, device, origin);
  state.fields(reader);
}

}  // namespace espalier
