#pragma once

#include <string>

#include <ATen/Parallel.h>
#include <ATen/core/dispatch/Dispatcher.h>

#include "kernels/cuda/driver.h"
#include "kernels/cuda/emulation/settings.h"
#include "kernels/ops.h"

// The operators of the GPU, run on the host by the emulation of a launch.
namespace espalier::test {

struct EmulatedPlace {
  explicit EmulatedPlace(const at::Tensor&) {}
  static kernels::cuda::Stream stream() { return nullptr; }
  static void check() {}
};
using Emulated = kernels::cuda::Driver<EmulatedPlace>;
using EmulatedSelection = kernels::cuda::Selection<EmulatedPlace>;

// How kernels are launched while it lives; the CPU's operators run in one thread, since a pool that waits for
// a busy machine takes longer than what these tests ask of it.
class Launches {
 public:
  explicit Launches(uint64_t seed, unsigned threads = 0, unsigned blocks = 0)
      : before_(emulation::settings()) {
    emulation::settings() = {emulation::Backend::kFibers, seed, threads, blocks};
    at::set_num_threads(1);
  }
  ~Launches() {
    emulation::settings() = before_;
    at::set_num_threads(threadsBefore_);
  }
  Launches(const Launches&) = delete;
  Launches& operator=(const Launches&) = delete;

 private:
  emulation::Settings before_;
  int threadsBefore_ = at::get_num_threads();
};

enum class Where { kCpu, kEmulated };

// The operator as the CPU has it, or `function`, which is the emulated one.
template <class Result, class... Parameters, class... Arguments>
Result call(Where where, const char* name, Result (*function)(Parameters...), Arguments&&... arguments) {
  if (where == Where::kEmulated) return function(std::forward<Arguments>(arguments)...);
  // A library that nothing refers to is not loaded, and its operators are not there.
  static const std::string loaded = kernels::instructionSet();
  return c10::Dispatcher::singleton()
      .findSchemaOrThrow((std::string("espalier::") + name).c_str(), "")
      .typed<Result(Parameters...)>()
      .call(std::forward<Arguments>(arguments)...);
}

}  // namespace espalier::test
