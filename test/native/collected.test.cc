#include "core/train/collected.h"

#include <torch/types.h>

#include "check.h"
#include "core/zoo/zoo.h"

using namespace espalier;
using namespace espalier::test;

TEST("collected: a training that has ended and has no figures is refused by name") {
  const std::vector<int> some = {1, 2};
  EXPECT(lastOf(some, "epochs") == 2);
  EXPECT(ERROR_OF(lastOf(std::vector<int>(), "epochs")).code() == ErrorCode::kOutOfRange);
}

TEST("collected: a counter that points beside its list is refused by name") {
  const std::vector<int> some = {1, 2};
  EXPECT(itemOf(some, 1, "distances") == 2);
  for (const int64_t index : {-1, 2}) {
    const Error error = ERROR_OF(itemOf(some, index, "distances"));
    EXPECT(error.code() == ErrorCode::kOutOfRange);
    EXPECT(error.message().find("distances") != std::string::npos);
  }
}

TEST("collected: the best weights are put back, and too few or too many are refused") {
  CreateOptions options;
  options.widths = std::vector<int64_t>{2, 3};
  const auto model = createModel(options);
  std::vector<at::Tensor> weights;
  for (const at::Tensor& weight : model->weights()) weights.push_back(torch::full_like(weight, 2));
  putBack(weights, *model);
  for (const at::Tensor& weight : model->weights()) EXPECT(weight.eq(2).all().item<bool>());
  weights.pop_back();
  EXPECT(ERROR_OF(putBack(weights, *model)).code() == ErrorCode::kOutOfRange);
  weights.resize(weights.size() + 2, torch::zeros({}));
  EXPECT(ERROR_OF(putBack(weights, *model)).code() == ErrorCode::kOutOfRange);
}
