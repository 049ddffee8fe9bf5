#include <functional>
#include <vector>

#include <torch/types.h>
#include <torch/utils.h>

#include "check.h"
#include "core/objectives/fisher.h"
#include "core/objectives/mmd.h"
#include "core/objectives/nt_xent.h"

using namespace espalier;

namespace {

// The definition, one number at a time: features [n][C][pixels].
double fisherByLoops(const at::Tensor& features, const std::vector<int64_t>& labels, int64_t classes) {
  const at::Tensor flat = features.to(at::kDouble).flatten(2).contiguous();
  const int64_t n = flat.size(0);
  const int64_t channels = flat.size(1);
  const int64_t pixels = flat.size(2);
  const auto x = flat.accessor<double, 3>();
  std::vector<std::vector<double>> phi(n, std::vector<double>(channels * pixels));
  for (int64_t i = 0; i < n; ++i) {
    for (int64_t p = 0; p < pixels; ++p) {
      double norm = 0;
      for (int64_t c = 0; c < channels; ++c) norm += x[i][c][p] * x[i][c][p];
      norm = std::max(std::sqrt(norm), 1e-12);
      for (int64_t c = 0; c < channels; ++c) phi[i][c * pixels + p] = x[i][c][p] / norm;
    }
  }
  const size_t size = phi[0].size();
  std::vector<std::vector<double>> means;
  double within = 0;
  for (int64_t k = 0; k < classes; ++k) {
    std::vector<double> mean(size, 0);
    double count = 0;
    for (int64_t i = 0; i < n; ++i) {
      if (labels[i] != k) continue;
      ++count;
      for (size_t d = 0; d < size; ++d) mean[d] += phi[i][d];
    }
    if (count < 2) continue;
    for (double& value : mean) value /= count;
    double sum = 0;
    for (int64_t i = 0; i < n; ++i) {
      if (labels[i] != k) continue;
      for (size_t d = 0; d < size; ++d) sum += (phi[i][d] - mean[d]) * (phi[i][d] - mean[d]);
    }
    within += sum / (count * static_cast<double>(size));
    means.push_back(mean);
  }
  if (means.size() < 2) return 0;
  double between = 0;
  for (size_t d = 0; d < size; ++d) {
    double middle = 0;
    for (const auto& mean : means) middle += mean[d] / static_cast<double>(means.size());
    for (const auto& mean : means) between += (mean[d] - middle) * (mean[d] - middle);
  }
  between /= static_cast<double>(means.size() * size);
  return between / (within + 1e-6);
}

double mmdByLoops(const at::Tensor& a, const at::Tensor& b) {
  const at::Tensor points = at::cat({a, b}).to(at::kDouble).contiguous();
  const auto x = points.accessor<double, 2>();
  const int64_t n = a.size(0);
  const int64_t all = points.size(0);
  const auto distance = [&](int64_t i, int64_t j) {
    double sum = 0;
    for (int64_t d = 0; d < points.size(1); ++d) sum += (x[i][d] - x[j][d]) * (x[i][d] - x[j][d]);
    return sum;
  };
  double width = 0;
  for (int64_t i = 0; i < all; ++i)
    for (int64_t j = 0; j < all; ++j) width += distance(i, j);
  width = width / static_cast<double>(all * all - all) / 4;
  const auto kernel = [&](int64_t i, int64_t j) {
    double sum = 0;
    for (const double factor : {1, 2, 4, 8, 16}) sum += std::exp(-distance(i, j) / (width * factor));
    return sum;
  };
  const auto mean = [&](int64_t fromI, int64_t toI, int64_t fromJ, int64_t toJ) {
    double sum = 0;
    for (int64_t i = fromI; i < toI; ++i)
      for (int64_t j = fromJ; j < toJ; ++j) sum += kernel(i, j);
    return sum / static_cast<double>((toI - fromI) * (toJ - fromJ));
  };
  return mean(0, n, 0, n) + mean(n, all, n, all) - 2 * mean(0, n, n, all);
}

using Objective = std::function<at::Tensor(const at::Tensor&)>;

// Every gradient by central differences; `still` values are held back from the objective's own gradient.
void expectGradient(const Objective& objective, const at::Tensor& at, const Objective& moved) {
  const at::Tensor variable = at.clone().requires_grad_();
  objective(variable).backward();
  const at::Tensor found = variable.grad().flatten();
  const double step = 1e-5;
  for (int64_t i = 0; i < at.numel(); ++i) {
    const at::Tensor probe = at.clone();
    probe.flatten()[i] += step;
    const double up = moved(probe).item<double>();
    probe.flatten()[i] -= 2 * step;
    const double down = moved(probe).item<double>();
    EXPECT_NEAR(found[i].item<double>(), (up - down) / (2 * step), 1e-8);
  }
}
void expectGradient(const Objective& objective, const at::Tensor& at) {
  expectGradient(objective, at, objective);
}

at::Tensor drawn(at::IntArrayRef sizes) {
  return torch::randn(sizes, at::detail::createCPUGenerator(7), torch::dtype(at::kDouble));
}

const std::vector<int64_t> kLabels = {0, 1, 2, 0, 1, 2, 0, 0, 4, 3, 2};  // 3 and 4 once, 5 never

}  // namespace

TEST("objectives: the Fisher ratio by its definition, where classes are absent or have one sample") {
  const at::Tensor labels = torch::tensor(kLabels);
  for (const at::Tensor& features : {drawn({11, 3, 2, 4}), drawn({11, 5, 1, 1})}) {
    const double expected = fisherByLoops(features, kLabels, 6);
    EXPECT(expected > 0.01);
    EXPECT_NEAR(fisherRatio(features, labels, 6).item<double>(), expected, 1e-10);
    const at::Tensor single = fisherRatio(features.to(at::kFloat), labels, 6);
    EXPECT(single.scalar_type() == at::kFloat);
    EXPECT_NEAR(single.item<double>(), expected, 1e-4 * expected);
  }
}

TEST("objectives: the Fisher ratio of a matrix is that of maps of one pixel") {
  const at::Tensor features = drawn({11, 6});
  const at::Tensor labels = torch::tensor(kLabels);
  EXPECT(fisherRatio(features, labels, 5).equal(fisherRatio(features.view({11, 6, 1, 1}), labels, 5)));
}

TEST("objectives: the Fisher ratio by hand") {
  // Two classes on the unit circle, each (cos a, +-sin a) about its own axis: means cos a along x and y.
  const double a = 0.3;
  const at::Tensor features = torch::tensor({std::cos(a), std::sin(a), std::cos(a), -std::sin(a),  //
                                             std::sin(a), std::cos(a), -std::sin(a), std::cos(a)},
                                            at::kDouble)
                                  .view({4, 2}) *
                              torch::tensor({1.0, 20.0, 0.5, 3.0}, at::kDouble).unsqueeze(1);
  const at::Tensor labels = torch::tensor({0, 0, 1, 1});
  // The middle is cos a / 2 on both axes; sin^2 a / 2 is the mean square about a class mean.
  const double between = std::cos(a) * std::cos(a) / 4;
  const double within = std::sin(a) * std::sin(a);
  EXPECT_NEAR(fisherRatio(features, labels, 2).item<double>(), between / (within + 1e-6), 1e-12);
}

TEST("objectives: the gradient of the Fisher ratio by differences") {
  const at::Tensor labels = torch::tensor(kLabels);
  expectGradient([&](const at::Tensor& features) { return fisherRatio(features, labels, 6); },
                 drawn({11, 3, 2, 2}));
}

TEST("objectives: with fewer than two classes the Fisher ratio and its gradient are zero") {
  for (const std::vector<int64_t>& labels :
       {std::vector<int64_t>{1, 1, 1, 1}, std::vector<int64_t>{0, 1, 2, 3},
        std::vector<int64_t>{2, 2, 2, 0}}) {
    for (const at::ScalarType type : {at::kFloat, at::kDouble}) {
      const at::Tensor features = drawn({4, 3, 2, 2}).to(type).requires_grad_();
      const at::Tensor ratio = fisherRatio(features, torch::tensor(labels), 4);
      ratio.backward();
      EXPECT_EQ(ratio.item<double>(), 0.0);
      EXPECT(features.grad().eq(0).all().item<bool>());
    }
  }
}

TEST("objectives: features that are zero, or the same for all, give a finite Fisher ratio") {
  for (const at::Tensor& given : {torch::zeros({6, 3, 2, 2}), torch::ones({6, 3, 2, 2})}) {
    const at::Tensor features = given.clone().requires_grad_();
    const at::Tensor ratio = fisherRatio(features, torch::tensor({0, 0, 1, 1, 2, 2}), 3);
    ratio.backward();
    EXPECT_NEAR(ratio.item<double>(), 0, 1e-6);
    EXPECT(features.grad().isfinite().all().item<bool>());
  }
}

TEST("objectives: the maximum mean discrepancy by its definition") {
  for (const auto& [n, m, size] : std::vector<std::array<int64_t, 3>>{{6, 6, 5}, {4, 7, 3}, {2, 2, 40}}) {
    const at::Tensor points = drawn({n + m, size});
    const at::Tensor a = points.slice(0, 0, n);
    const at::Tensor b = points.slice(0, n) * 1.5 + 100.3;
    const double expected = mmdByLoops(a, b);
    EXPECT(expected > 1);
    EXPECT_NEAR(maximumMeanDiscrepancy(a, b).item<double>(), expected, 1e-10);
    const at::Tensor near = points.slice(0, n) * 1.5 + 0.3;
    const double smaller = mmdByLoops(a, near);
    const at::Tensor single = maximumMeanDiscrepancy(a.to(at::kFloat), near.to(at::kFloat));
    EXPECT(single.scalar_type() == at::kFloat);
    EXPECT_NEAR(single.item<double>(), smaller, 1e-4 * smaller);
  }
}

TEST("objectives: two tight, far clusters are 2 (5 - sum of the kernels at eight widths) apart") {
  // n = m: the mean over different pairs is d n / (2n - 1), w a quarter of it.
  const int64_t n = 400;
  const at::Tensor a = torch::zeros({n, 3}, at::kDouble);
  double kernels = 0;
  const double widths = 4 * (2.0 * n - 1) / n;
  for (const double factor : {1, 2, 4, 8, 16}) kernels += std::exp(-widths / factor);
  EXPECT_NEAR(maximumMeanDiscrepancy(a, a + 12).item<double>(), 2 * (5 - kernels), 1e-10);
  EXPECT_NEAR(2 * (5 - kernels), 7.7, 0.05);
}

TEST("objectives: the same batch twice is no distance; scale and origin change nothing") {
  const at::Tensor a = drawn({8, 5});
  const at::Tensor b = drawn({16, 5}).slice(0, 8);
  EXPECT_NEAR(maximumMeanDiscrepancy(a, a).item<double>(), 0, 1e-12);
  EXPECT_NEAR(maximumMeanDiscrepancy(a * 30 + 5, b * 30 + 5).item<double>(),
              maximumMeanDiscrepancy(a, b).item<double>(), 1e-10);
  const at::Tensor constant = torch::ones({4, 3}).requires_grad_();
  const at::Tensor none = maximumMeanDiscrepancy(constant, torch::ones({4, 3}));
  none.backward();
  EXPECT_EQ(none.item<double>(), 0.0);
  EXPECT(constant.grad().isfinite().all().item<bool>());
}

TEST("objectives: in float32 the discrepancy does not suffer from a far origin") {
  const at::Tensor a = drawn({8, 200});
  const at::Tensor b = drawn({16, 200}).slice(0, 8) + 0.2;
  const double expected = mmdByLoops(a, b);
  const at::Tensor single = maximumMeanDiscrepancy((a + 64).to(at::kFloat), (b + 64).to(at::kFloat));
  EXPECT_NEAR(single.item<double>(), expected, 1e-4 * expected);
}

TEST("objectives: the gradient of the discrepancy by differences, the width held still") {
  const at::Tensor a = drawn({5, 3});
  const at::Tensor b = drawn({10, 3}).slice(0, 5) + 0.7;
  // What the kernels are with the width of the place that is differentiated at.
  const at::Tensor points = at::cat({a, b});
  const double width = (points.unsqueeze(1) - points).square().sum().item<double>() / 90 / 4;
  const auto held = [&](const at::Tensor& left, const at::Tensor& right) {
    const auto kernel = [&](const at::Tensor& x, const at::Tensor& y) {
      const at::Tensor distances = (x.unsqueeze(1) - y).square().sum(2);
      at::Tensor sum = torch::zeros({}, at::kDouble);
      for (const double factor : {1, 2, 4, 8, 16})
        sum = sum + at::exp(-distances / (width * factor)).sum() / (x.size(0) * y.size(0));
      return sum;
    };
    return kernel(left, left) + kernel(right, right) - 2 * kernel(left, right);
  };
  expectGradient([&](const at::Tensor& x) { return maximumMeanDiscrepancy(x, b); }, a,
                 [&](const at::Tensor& x) { return held(x, b); });
  expectGradient([&](const at::Tensor& x) { return maximumMeanDiscrepancy(a, x); }, b,
                 [&](const at::Tensor& x) { return held(a, x); });
}

TEST("objectives: NT-Xent of two samples by hand") {
  // Unit vectors at 0 and 90 degrees, their second views at 0 and 180: cosines 1, -1 of the pairs, 0, -1, 0
  // across.
  const at::Tensor first = torch::tensor({2.0, 0.0, 0.0, 0.5}, at::kDouble).view({2, 2});
  const at::Tensor second = torch::tensor({3.0, 0.0, -1.0, 0.0}, at::kDouble).view({2, 2});
  const double t = 0.5;
  const auto loss = [&](double partner, double one, double other) {
    return -std::log(std::exp(partner / t) /
                     (std::exp(partner / t) + std::exp(one / t) + std::exp(other / t)));
  };
  const NtXent found = ntXent(first, second, t);
  // Sample 0: both views have partner 1, others 0 and -1. Sample 1: partner 0; others 0, 0 and -1, -1.
  EXPECT_NEAR(found.losses[0].item<double>(), loss(1, 0, -1), 1e-12);
  EXPECT_NEAR(found.losses[1].item<double>(), (loss(0, 0, 0) + loss(0, -1, -1)) / 2, 1e-12);
  EXPECT(found.matched[0].item<bool>() && found.matched[2].item<bool>() && found.matched[3].item<bool>());
}

TEST("objectives: NT-Xent by its definition, with gradients by differences") {
  const at::Tensor a = drawn({5, 4});
  const at::Tensor b = a + 0.5 * drawn({10, 4}).slice(0, 5);
  const double t = 0.3;
  const at::Tensor z = at::cat({a, b});
  const auto cosine = [&](int64_t i, int64_t j) {
    return (z[i].dot(z[j]) / z[i].norm() / z[j].norm()).item<double>();
  };
  const NtXent found = ntXent(a, b, t);
  for (int64_t i = 0; i < 5; ++i) {
    double mean = 0;
    for (const int64_t view : {i, i + 5}) {
      const int64_t partner = (view + 5) % 10;
      double sum = 0;
      bool nearest = true;
      for (int64_t k = 0; k < 10; ++k) {
        if (k == view) continue;
        sum += std::exp(cosine(view, k) / t);
        nearest = nearest && cosine(view, k) <= cosine(view, partner);
      }
      mean -= std::log(std::exp(cosine(view, partner) / t) / sum) / 2;
      EXPECT_EQ(found.matched[view].item<bool>(), nearest);
    }
    EXPECT_NEAR(found.losses[i].item<double>(), mean, 1e-10);
  }
  expectGradient([&](const at::Tensor& x) { return ntXent(x, b, t).losses.mean(); }, a);
  expectGradient([&](const at::Tensor& x) { return ntXent(a, x, t).losses.mean(); }, b);
}
