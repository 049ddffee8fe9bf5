#include <set>

#include <torch/types.h>
#include <torch/utils.h>

#include "check.h"
#include "emulated.h"
#include "kernels/operators.h"

using namespace espalier;
using namespace espalier::kernels;
using namespace espalier::test;

namespace {

using List = std::vector<at::Tensor>;
using Steps = MaskedStepOperators<Emulated>;
using Ltp = LtpOperators<Emulated>;
using Scores = ScoreOperators<Emulated>;
using Admm = AdmmOperators<Emulated>;
using Figures = StatisticsOperators<Emulated>;

struct Shape {
  std::vector<int64_t> sizes;
  at::ScalarType master = at::kFloat;
  at::ScalarType narrow = at::kFloat;
  int64_t offset = 0;  // in elements, of each tensor in its memory
};

// Everything that an operator may read or write.
struct World {
  List weights, gradients, momenta, second, averages, effective, sparse, duals, steps;
  Masks masks;
  at::Tensor thresholds, previous, temperatures, rates, flag;

  std::vector<std::pair<const char*, List*>> lists() {
    return {{"weights", &weights}, {"gradients", &gradients}, {"momenta", &momenta},
            {"second", &second},   {"averages", &averages},   {"effective", &effective},
            {"sparse", &sparse},   {"duals", &duals},         {"steps", &steps}};
  }
  std::vector<at::Tensor*> vectors() { return {&thresholds, &previous, &temperatures, &rates, &flag}; }
};

at::Tensor placed(const at::Tensor& values, int64_t offset) {
  const at::Tensor memory = at::zeros({values.numel() + offset}, values.options());
  const at::Tensor view = memory.narrow(0, offset, values.numel());
  view.copy_(values);
  return view;
}

World makeWorld(const Shape& shape) {
  torch::manual_seed(7);
  World world;
  const auto random = [&](int64_t size, at::ScalarType type, double scale) {
    return placed((torch::randn({size}) * scale).to(type), shape.offset);
  };
  for (size_t i = 0; i < shape.sizes.size(); ++i) {
    const int64_t size = shape.sizes[i];
    world.weights.push_back(random(size, shape.master, 0.5));
    world.gradients.push_back(random(size, shape.narrow, 1));
    world.momenta.push_back(random(size, shape.master, 0.1));
    world.second.push_back(random(size, shape.master, 0.1).abs_());
    world.averages.push_back(random(size, shape.master, 0.5));
    world.effective.push_back(random(size, shape.narrow, 1));
    world.sparse.push_back(random(size, shape.master, 0.5));
    world.duals.push_back(random(size, shape.master, 0.1));
    world.steps.push_back(torch::full({}, static_cast<double>(i % 5), at::kFloat));
    world.masks.push_back(i % 3 == 2 ? std::nullopt
                                     : std::optional(placed(torch::rand({size}) > 0.3, shape.offset)));
  }
  const auto count = static_cast<int64_t>(shape.sizes.size());
  world.thresholds = torch::rand({count}, at::kDouble) * 0.2;
  world.previous = world.thresholds * 0.5;
  world.temperatures = torch::full({count}, 0.05, at::kDouble);
  world.rates = torch::full({count}, 0.3, at::kDouble);
  world.flag = torch::zeros({1}, at::kFloat);
  return world;
}

// A copy in memory of its own that is placed alike.
World copyOf(World& from, int64_t offset) {
  World copy = from;
  for (size_t k = 0; k < from.lists().size(); ++k) {
    List& list = *copy.lists()[k].second;
    for (at::Tensor& tensor : list) tensor = tensor.dim() == 0 ? tensor.clone() : placed(tensor, offset);
  }
  for (at::Tensor* tensor : copy.vectors()) *tensor = tensor->clone();
  return copy;
}

// The same in float64, which only the plain CPU path has.
World widened(World& from) {
  World wide = copyOf(from, 0);
  for (auto& [name, list] : wide.lists()) {
    if (std::string(name) == "steps") continue;
    for (at::Tensor& tensor : *list) tensor = tensor.to(at::kDouble);
  }
  return wide;
}

struct Operator {
  const char* name;
  // Returns sums [tensors, n], or nothing.
  at::Tensor (*run)(Where, World&);
};

const std::vector<Operator> kOperators = {
    {"masked_sgd_",
     [](Where where, World& w) {
       call(where, "masked_sgd_", Steps::maskedSgd, w.weights, w.gradients, w.momenta, w.masks, w.averages,
            w.effective, 0.1, 0.9, 1e-3, true, 0.99, w.flag);
       return at::Tensor();
     }},
    {"masked_adam_",
     [](Where where, World& w) {
       call(where, "masked_adam_", Steps::maskedAdam, w.weights, w.gradients, w.momenta, w.second, w.steps,
            w.masks, w.averages, w.effective, 0.1, 0.9, 0.99, 1e-8, 1e-2, true, 0.99, w.flag);
       return at::Tensor();
     }},
    {"ltp_gate_",
     [](Where where, World& w) {
       // The first tensors' steps are undone.
       std::vector<double> least(w.weights.size(), 0);
       for (size_t i = 0; i < least.size(); i += 2) least[i] = 1e9;
       return call(where, "ltp_gate_", Ltp::ltpGate, w.weights, w.masks, w.thresholds, w.previous,
                   w.temperatures, least, w.effective, true);
     }},
    {"ltp_step_",
     [](Where where, World& w) {
       return call(where, "ltp_step_", Ltp::ltpStep, w.weights, w.gradients, w.momenta, w.masks, w.thresholds,
                   w.previous, w.temperatures, w.rates, 1e-3, 0.1, 0.9, 1e-3, false, true, true, w.flag,
                   std::nullopt);
     }},
    {"score_apply_",
     [](Where where, World& w) {
       return call(where, "score_apply_", Scores::scoreApply, w.weights, w.sparse, w.effective, 0.05);
     }},
    {"score_adam_",
     [](Where where, World& w) {
       call(where, "score_adam_", Scores::scoreAdam, w.sparse, w.weights, w.gradients, w.momenta, w.second,
            w.steps, 0.01, 0.9, 0.99, 1e-8, w.flag);
       return at::Tensor();
     }},
    {"admm_penalty_",
     [](Where where, World& w) {
       return call(where, "admm_penalty_", Admm::admmPenalty, w.gradients, w.weights, w.sparse, w.duals,
                   w.masks, 0.3);
     }},
    {"admm_shrink_",
     [](Where where, World& w) {
       return call(where, "admm_shrink_", Admm::admmShrink, w.sparse, w.weights, w.duals, w.masks, 0.2);
     }},
    {"admm_dual_",
     [](Where where, World& w) {
       return call(where, "admm_dual_", Admm::admmDual, w.duals, w.weights, w.sparse);
     }},
    {"statistics",
     [](Where where, World& w) { return call(where, "statistics", Figures::statistics, w.gradients); }},
    {"raise_if_not_finite_",
     [](Where where, World& w) {
       call(where, "raise_if_not_finite_", Figures::raiseIfNotFinite, w.flag, w.gradients);
       return at::Tensor();
     }},
};

double unitOf(at::ScalarType type) {
  return type == at::kHalf ? 1e-3 : type == at::kBFloat16 ? 8e-3 : type == at::kFloat ? 1e-6 : 1e-12;
}

void expectNear(const std::string& what, const at::Tensor& actual, const at::Tensor& expected,
                double tolerance) {
  const at::Tensor a = actual.to(at::kDouble);
  const at::Tensor e = expected.to(at::kDouble);
  if (at::allclose(a, e, tolerance, tolerance / 4)) return;
  throw Failure(text(what, ": differs by ", (a - e).abs().max().item<double>(), " from values up to ",
                     e.abs().max().item<double>()));
}

at::Tensor joined(const List& list) {
  List flat;
  for (const at::Tensor& tensor : list) flat.push_back(tensor.reshape({-1}));
  return at::cat(flat);
}

// By 1e-5 of the sum of the absolute terms.
void expectSumsNear(const std::string& what, const at::Tensor& actual, const at::Tensor& expected) {
  EXPECT_EQ(actual.defined(), expected.defined());
  if (!actual.defined()) return;
  at::Tensor scale = expected.abs();
  if (what.rfind("ltp_step_", 0) == 0) scale.select(1, 1).copy_(expected.select(1, 2));
  const at::Tensor excess = (actual - expected).abs() - 1e-5 * scale;
  if (excess.max().item<double>() > 1e-12) throw Failure(text(what, ": sums differ"));
}

void expectSame(const std::string& what, World& actual, const at::Tensor& sums, World& expected,
                const at::Tensor& expectedSums, double slack) {
  expectSumsNear(what, sums, expectedSums);
  for (size_t k = 0; k < actual.lists().size(); ++k) {
    const auto [name, list] = actual.lists()[k];
    const at::Tensor all = joined(*list);
    expectNear(text(what, " ", name), all, joined(*expected.lists()[k].second),
               slack * unitOf(all.scalar_type()));
  }
  for (size_t k = 0; k < actual.vectors().size(); ++k) {
    expectNear(text(what, " vector ", k), *actual.vectors()[k], *expected.vectors()[k], 1e-5);
  }
}

bool bitEqual(World& a, const at::Tensor& aSums, World& b, const at::Tensor& bSums) {
  bool equal = !aSums.defined() || at::equal(aSums, bSums);
  for (size_t k = 0; k < a.lists().size(); ++k) {
    for (size_t i = 0; i < a.lists()[k].second->size(); ++i) {
      equal = equal && at::equal((*a.lists()[k].second)[i], (*b.lists()[k].second)[i]);
    }
  }
  for (size_t k = 0; k < a.vectors().size(); ++k)
    equal = equal && at::equal(*a.vectors()[k], *b.vectors()[k]);
  return equal;
}

// Every operator, or those named, on the CPU, in float64 and under the emulation.
void compare(const Shape& shape, uint64_t seed, unsigned threads, unsigned blocks,
             const std::set<std::string>& only = {}) {
  const Launches launches(seed, threads, blocks);
  World start = makeWorld(shape);
  for (const Operator& op : kOperators) {
    if (!only.empty() && only.count(op.name) == 0) continue;
    World onCpu = copyOf(start, shape.offset);
    const at::Tensor cpuSums = op.run(Where::kCpu, onCpu);
    World onGpu = copyOf(start, shape.offset);
    const at::Tensor gpuSums = op.run(Where::kEmulated, onGpu);
    const std::string what = text(op.name, " ", shape.narrow, " ", threads, " threads");
    expectSame(what, onGpu, gpuSums, onCpu, cpuSums, 2);
    if (shape.master == at::kDouble) continue;
    World wide = widened(start);
    const at::Tensor wideSums = op.run(Where::kCpu, wide);
    expectSame(text(what, " against float64"), onGpu, gpuSums, wide, wideSums, 20);
  }
}

const std::vector<int64_t> kOddSizes = {0, 1, 5, 16383, 16385, 121733};

}  // namespace

TEST("CUDA operators, emulated, agree with the CPU and float64") { compare({kOddSizes}, 1, 256, 0); }

TEST("CUDA operators, emulated, agree in blocks and grids of other sizes") {
  const std::vector<int64_t> sizes = {5, 8191, 8193, 20001};
  compare({sizes}, 2, 32, 0);
  compare({sizes}, 3, 96, 1);
  compare({sizes}, 4, 128, 3);
}

TEST("CUDA operators, emulated, agree in half, bfloat16 and double") {
  const std::vector<int64_t> sizes = {0, 1, 5, 8193, 16385};
  compare({sizes, at::kFloat, at::kHalf}, 5, 64, 0);
  compare({sizes, at::kFloat, at::kBFloat16}, 6, 64, 0);
  compare({sizes, at::kDouble, at::kDouble}, 7, 64, 0);
}

TEST("CUDA operators, emulated, agree where memory is not aligned") {
  const std::vector<int64_t> sizes = {1, 5, 8193, 16385};
  compare({sizes, at::kFloat, at::kFloat, 1}, 8, 64, 0);
  compare({sizes, at::kFloat, at::kBFloat16, 3}, 9, 64, 0);
}

TEST("CUDA operators, emulated, agree on a thousand tiny tensors") {
  std::vector<int64_t> sizes;
  for (int64_t i = 0; i < 1000; ++i) sizes.push_back(i * 7 % 23);
  compare({sizes}, 10, 32, 0, {"masked_adam_", "ltp_gate_", "ltp_step_"});
}

TEST("CUDA operators, emulated, give the same bits in every order of threads, grid and alignment") {
  const Shape shape{{5, 8193, 20001}};
  World start = makeWorld(shape);
  for (const Operator& op : kOperators) {
    World first = copyOf(start, 0);
    at::Tensor firstSums;
    {
      const Launches launches(1, 64);
      firstSums = op.run(Where::kEmulated, first);
    }
    for (uint64_t seed = 2; seed < 6; ++seed) {
      World other = copyOf(start, seed % 2 == 0 ? 0 : 1);
      if (seed % 2 == 1) {
        for (size_t i = 0; i < other.masks.size(); ++i) {
          const std::optional<at::Tensor> mask = other.masks.get(i);
          if (mask) other.masks.set(i, placed(*mask, 1));
        }
      }
      const Launches launches(seed, 64, static_cast<unsigned>(seed - 1));
      const at::Tensor sums = op.run(Where::kEmulated, other);
      if (!bitEqual(other, sums, first, firstSums)) throw Failure(text(op.name, " differs for seed ", seed));
    }
  }
}

TEST("CUDA operators, emulated, do nothing under a raised flag, and raise it") {
  World start = makeWorld({{5, 300}});
  start.flag.fill_(1);
  const Launches launches(1, 64);
  for (const char* name : {"masked_sgd_", "masked_adam_", "ltp_step_", "score_adam_"}) {
    const auto op = std::find_if(kOperators.begin(), kOperators.end(),
                                 [&](const Operator& each) { return std::string(each.name) == name; });
    World after = copyOf(start, 0);
    op->run(Where::kEmulated, after);
    // The threshold's memory of the step before moves on.
    after.previous = start.previous;
    if (!bitEqual(after, {}, start, {})) throw Failure(text(name, " updated under the flag"));
  }
  for (const double bad : {std::nan(""), HUGE_VAL}) {
    World world = makeWorld({{5, 300}});
    world.gradients[1][299] = bad;
    Figures::raiseIfNotFinite(world.flag, world.gradients);
    EXPECT_EQ(world.flag.item<float>(), 1.0F);
    const at::Tensor figures = Figures::statistics(world.gradients);
    EXPECT_EQ(figures[1][1].item<double>() + figures[1][2].item<double>(), 1.0);
  }
}
