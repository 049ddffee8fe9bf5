#include <torch/types.h>
#include <torch/utils.h>

#include "check.h"
#include "emulated.h"
#include "kernels/operators.h"

using namespace espalier;
using namespace espalier::test;

namespace {

using List = std::vector<at::Tensor>;
using Select = EmulatedSelection;

constexpr float kInfinity = std::numeric_limits<float>::infinity();

enum class Values { kNormal, kFewLevels, kAllEqual, kZeros, kInfinities };
constexpr Values kAllValues[] = {Values::kNormal, Values::kFewLevels, Values::kAllEqual, Values::kZeros,
                                 Values::kInfinities};

at::Tensor valuesOf(Values kind, int64_t size, at::ScalarType type) {
  at::Tensor values = torch::randn({size});
  if (kind == Values::kFewLevels) values = (values * 2).round();
  if (kind == Values::kAllEqual) values = torch::full({size}, -0.25);
  if (kind == Values::kZeros) values = torch::where(values > 0, torch::full({}, 0.0), torch::full({}, -0.0));
  if (kind == Values::kInfinities) {
    values = torch::where(values.abs() > 1, torch::full({}, kInfinity) * values.sign(), values);
  }
  return values.to(type);
}

List makeTensors(Values kind, const std::vector<int64_t>& sizes, at::ScalarType type = at::kFloat) {
  torch::manual_seed(11);
  List tensors;
  for (const int64_t size : sizes) tensors.push_back(valuesOf(kind, size, type));
  return tensors;
}

int64_t countOf(const List& tensors) {
  int64_t count = 0;
  for (const at::Tensor& tensor : tensors) count += tensor.numel();
  return count;
}

void expectEqual(const std::string& what, const List& actual, const List& expected) {
  EXPECT_EQ(actual.size(), expected.size());
  for (size_t i = 0; i < actual.size(); ++i) {
    if (!at::equal(actual[i], expected[i])) throw Failure(text(what, ": masks[", i, "] differ"));
  }
}

// Everything about these tensors, against the CPU.
void compare(const List& tensors) {
  const int64_t count = countOf(tensors);
  for (const int64_t cut : {int64_t{0}, count / 3, count * 9 / 10, count}) {
    const auto both = [&](const char* name, auto function, const auto&... arguments) {
      expectEqual(text(name, " cut ", cut, " of ", count),
                  call(Where::kEmulated, name, function, tensors, arguments...),
                  call(Where::kCpu, name, function, tensors, arguments...));
    };
    both("select_lowest", Select::selectLowest, cut);
    std::vector<int64_t> cuts, least, most;
    for (const at::Tensor& tensor : tensors) {
      cuts.push_back(tensor.numel() * cut / count);
      least.push_back(cuts.back() / 2);
      most.push_back(std::min(tensor.numel(), cuts.back() + 2));
    }
    both("select_lowest_each", Select::selectLowestEach, cuts);
    int64_t within = 0;
    for (const int64_t each : cuts) within += each;
    both("select_lowest_between", Select::selectLowestBetween, within, least, most);
    if (cut == 0) continue;
    EXPECT(at::equal(Select::kthMagnitude(tensors, cut),
                     call(Where::kCpu, "kth_magnitude", Select::kthMagnitude, tensors, cut)));
  }
}

std::string messageOf(const std::function<void()>& body) {
  try {
    body();
  } catch (const c10::Error& error) {
    return error.what_without_backtrace();
  }
  return "";
}

}  // namespace

TEST("CUDA selection, emulated, cuts what the CPU cuts") {
  for (const Values kind : kAllValues) {
    const Launches launches(static_cast<uint64_t>(kind) + 1, 128);
    compare(makeTensors(kind, {0, 1, 5, 16383, 16385}));
  }
}

TEST("CUDA selection, emulated, cuts the same in every order of threads and in other blocks and grids") {
  const List tensors = makeTensors(Values::kFewLevels, {5, 121733});
  const int64_t cut = countOf(tensors) / 2;
  const List expected = call(Where::kCpu, "select_lowest", Select::selectLowest, tensors, cut);
  uint64_t seed = 1;
  for (const unsigned threads : {32U, 96U, 256U}) {
    for (const unsigned blocks : {0U, 1U, 3U}) {
      const Launches launches(seed++, threads, blocks);
      expectEqual(text(threads, " threads, ", blocks, " blocks"), Select::selectLowest(tensors, cut),
                  expected);
    }
  }
}

TEST("CUDA selection, emulated, cuts the same in half, bfloat16, double and of many tiny tensors") {
  const Launches launches(3, 64);
  for (const at::ScalarType type : {at::kHalf, at::kBFloat16, at::kDouble}) {
    compare(makeTensors(Values::kNormal, {3, 9001}, type));
    compare(makeTensors(Values::kFewLevels, {3, 9001}, type));
  }
  std::vector<int64_t> sizes;
  for (int64_t i = 0; i < 1000; ++i) sizes.push_back(i * 7 % 23);
  const List tensors = makeTensors(Values::kFewLevels, sizes);
  const int64_t cut = countOf(tensors) / 2;
  expectEqual("tiny tensors", Select::selectLowest(tensors, cut),
              call(Where::kCpu, "select_lowest", Select::selectLowest, tensors, cut));
}

TEST("CUDA selection, emulated, goes by the order of indices, not of memory") {
  torch::manual_seed(5);
  const at::Tensor values = (torch::randn({8, 4, 3, 3}) * 2).round();
  const List tensors = {values.contiguous(at::MemoryFormat::ChannelsLast), values.transpose(0, 1)};
  const Launches launches(4, 64);
  compare(tensors);
}

TEST("CUDA selection, emulated, keeps n of m as the CPU does") {
  const Launches launches(5, 64);
  for (const Values kind : kAllValues) {
    for (const auto& [n, m] : {std::pair<int64_t, int64_t>{2, 4}, {1, 2}, {4, 8}, {3, 5}, {0, 4}, {40, 40}}) {
      List tensors;
      for (const int64_t rows : {0, 1, 301})
        tensors.push_back(valuesOf(kind, rows * m, at::kFloat).view({rows, m}));
      tensors.push_back(valuesOf(kind, 6 * m, at::kFloat).view({3, 2 * m}));
      expectEqual(text(n, " of ", m), Select::selectNOfM(tensors, n, m),
                  call(Where::kCpu, "select_n_of_m", Select::selectNOfM, tensors, n, m));
    }
  }
}

TEST("CUDA selection, emulated, refuses NaN and names its tensor") {
  const Launches launches(6, 64);
  List tensors = makeTensors(Values::kNormal, {4, 0, 16400, 8});
  tensors[2][16399] = std::nanf("");
  const std::string expected = "expected numbers in tensors[2], found NaN";
  EXPECT(messageOf([&] { Select::selectLowest(tensors, 9); }).find(expected) != std::string::npos);
  EXPECT(messageOf([&] { Select::kthMagnitude(tensors, 9); }).find(expected) != std::string::npos);
  EXPECT(messageOf([&] { Select::selectNOfM(tensors, 1, 2); }).find(expected) != std::string::npos);
  EXPECT(messageOf([&] { Select::selectLowestEach(tensors, {1, 0, 1, 1}); }).find(expected) !=
         std::string::npos);
  EXPECT(messageOf([&] {
           Select::selectLowestBetween(tensors, 2, {0, 0, 0, 0}, {1, 0, 1, 1});
         }).find(expected) != std::string::npos);
}

TEST("CUDA, emulated, keeps the largest of W + U in ADMM as the CPU does") {
  using Admm = kernels::AdmmOperators<Emulated>;
  torch::manual_seed(9);
  const List weights = {torch::randn({300}), torch::randn({9000})};
  const List duals = {torch::randn({300}), torch::randn({9000})};
  List onCpu = {torch::zeros({300}), torch::zeros({9000})};
  List onGpu = {torch::zeros({300}), torch::zeros({9000})};
  const Launches launches(7, 64);
  const kernels::Masks none;
  const List expected =
      call(Where::kCpu, "admm_keep_", Admm::admmKeep, onCpu, weights, duals, none, int64_t{1234});
  expectEqual("admm_keep_", Admm::admmKeep(onGpu, weights, duals, none, 1234), expected);
  expectEqual("Z", onGpu, onCpu);
}
