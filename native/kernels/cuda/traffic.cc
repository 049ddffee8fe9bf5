#include <cstdio>
#include <cstdlib>
#include <cxxabi.h>
#include <typeinfo>

#include "kernels/cuda/each.h"

// Prints as JSON what each functor reads and writes of a weight, as the functors themselves say: for the
// table of docs/cuda.md. With a mask, momentum and the effective weight where there are such, without
// averages.
namespace {

using namespace espalier::kernels;

bool isFirst = true;

template <class Functor>
void print(const Functor& functor) {
  const auto io = cuda::probe(functor);
  char* const name = abi::__cxa_demangle(typeid(Functor).name(), nullptr, nullptr, nullptr);
  std::printf("%s\n  \"%s\": { \"read\": %d, \"written\": %d }", isFirst ? "{" : ",", name, io.bytesRead,
              io.bytesWritten);
  std::free(name);
  isFirst = false;
}

// Streams that nobody reads.
template <class E>
E* stream() {
  static E element[1] = {};
  return element;
}

template <class H>
void printAll() {
  float* const values = stream<float>();
  H* const narrow = stream<H>();
  const bool* const mask = stream<bool>();

  MaskedSgd<float, H> sgd;
  sgd.weight = sgd.momentum = values;
  sgd.gradient = narrow;
  sgd.mask = mask;
  print(sgd);

  MaskedAdam<float, H> adam;
  adam.weight = adam.first = adam.second = values;
  adam.gradient = narrow;
  adam.mask = mask;
  print(adam);

  LtpGate<float, H> gate;
  gate.weight = values;
  gate.effective = narrow;
  print(gate);

  LtpStep<float, H> step;
  step.weight = step.momentum = values;
  step.gradient = narrow;
  print(step);

  ScoreApply<float, H> apply;
  apply.weight = apply.score = values;
  apply.effective = narrow;
  print(apply);

  ScoreAdam<float, H> scoreAdam;
  scoreAdam.score = scoreAdam.first = scoreAdam.second = values;
  scoreAdam.weight = values;
  scoreAdam.gradient = narrow;
  print(scoreAdam);

  AdmmPenalty<float, H> penalty;
  penalty.gradient = narrow;
  penalty.weight = penalty.sparse = penalty.dual = values;
  penalty.mask = mask;
  print(penalty);

  Statistics<H, float> statistics;
  statistics.values = narrow;
  print(statistics);

  CountNotFinite<H, float> count;
  count.values = narrow;
  print(count);
}

void printCommon() {
  float* const values = stream<float>();
  const bool* const mask = stream<bool>();

  AdmmShrink<float> shrink;
  shrink.sparse = values;
  shrink.weight = shrink.dual = values;
  shrink.mask = mask;
  print(shrink);

  AdmmProject<float> project;
  project.sparse = values;
  project.weight = project.dual = values;
  project.mask = mask;
  print(project);

  AdmmDual<float> dual;
  dual.dual = values;
  dual.weight = dual.sparse = values;
  print(dual);
}

}  // namespace

int main() {
  printAll<float>();
  printAll<c10::Half>();
  printAll<c10::BFloat16>();
  printCommon();
  std::printf("\n}\n");
}
