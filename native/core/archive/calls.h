#pragma once

#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

namespace torch::jit {
struct Function;
struct Node;
}  // namespace torch::jit

namespace espalier {

// Which functions compiled code calls. A call over an interface is not followed: which class answers is known
// only when it runs, and it is checked as a function of its own.
class Calls {
 public:
  // How many operations a function has once every call in it is written out, as libtorch does before it runs
  // one: twenty functions that each call the next one twice are a million. At most kMost.
  static constexpr uint64_t kMost = 10'000'000;
  uint64_t writtenOut(torch::jit::Function& function);

  // The first loop in a function or in what it calls or forks, or the first call over an interface, behind
  // which there may be one; null where there is none.
  const torch::jit::Node* mayNotEnd(torch::jit::Function& function);

 private:
  struct Facts {
    uint64_t operations = 0;
    const torch::jit::Node* endless = nullptr;
  };
  const Facts& factsOf(torch::jit::Function& function);

  std::unordered_map<const torch::jit::Function*, Facts> known_;
};

}  // namespace espalier
