#include "core/facts.h"

#include "core/convert.h"
#include "core/data/domain.h"
#include "core/dtype.h"

namespace espalier {

namespace {

// Null for a norm without a weight.
Value shapeOf(const at::Tensor& tensor) { return tensor.defined() ? toValue(tensor.sizes().vec()) : Value(); }

Value layerFacts(const Layer& layer) {
  Value facts = Value::Map{{"path", layer.path},
                           {"aliases", toValue(layer.aliases)},
                           {"kind", enumName(layer.kind)},
                           {"weightShape", shapeOf(layer.weight)},
                           {"bias", layer.bias.defined()},
                           {"inChannels", layer.inChannels},
                           {"outChannels", layer.outChannels}};
  if (layer.norm) facts.set("norm", *layer.norm);
  facts.set("prunable", layer.prunable);
  return facts;
}

Value parameterFacts(const ParameterInfo& parameter) {
  return Value::Map{{"path", parameter.path},
                    {"aliases", toValue(parameter.aliases)},
                    {"shape", shapeOf(parameter.tensor)},
                    {"dtype", dtypeName(parameter.tensor.scalar_type())},
                    {"count", parameter.tensor.numel()}};
}

template <class Items, class Describe>
Value listOf(const Items& items, const Describe& describe) {
  Value::List list;
  for (const auto& item : items) list.push_back(describe(item));
  return list;
}

Value facts(const Model& model) {
  return Value::Map{{"device", model.device().str()},
                    {"layers", listOf(model.layers(), layerFacts)},
                    {"parameters", listOf(model.parameters(), parameterFacts)},
                    {"buffers", listOf(model.buffers(), parameterFacts)}};
}

Value facts(const Dataset& dataset) {
  return Value::Map{
      {"length", dataset.size()}, {"shape", toValue(dataset.sampleShape())}, {"classes", dataset.classes()}};
}

Value facts(const Domain& domain) {
  Value::List roles;
  for (const auto& [role, name] : {std::pair(Role::kFit, "fit"), std::pair(Role::kSelect, "select"),
                                   std::pair(Role::kReport, "report")}) {
    if (domain.has(role)) roles.push_back(name);
  }
  return Value::Map{{"name", domain.name()},
                    {"classes", domain.classes()},
                    {"shape", toValue(domain.sampleShape())},
                    {"roles", std::move(roles)}};
}

// Zeros: of token ids where the model begins with an embedding.
at::Tensor exampleInput(const Model& model, const std::vector<int64_t>& shape) {
  const bool takesIds = !model.layers().empty() && model.layers()[0].kind == LayerKind::kEmbedding;
  const auto options = at::TensorOptions().device(model.device()).dtype(takesIds ? at::kLong : at::kFloat);
  return model.preprocess(at::zeros(shape, options));
}

}  // namespace

Value factsOf(const Handle& handle) {
  if (const auto* model = dynamic_cast<const Model*>(&handle)) return facts(*model);
  if (const auto* dataset = dynamic_cast<const Dataset*>(&handle)) return facts(*dataset);
  if (const auto* domain = dynamic_cast<const Domain*>(&handle)) return facts(*domain);
  return handle.describe();
}

Value inspect(const Model& model, const std::optional<std::vector<int64_t>>& inputShape) {
  const c10::NoGradGuard noGradient;
  Value::List parameters;
  int64_t weights = 0;
  int64_t zeros = 0;
  for (const ParameterInfo& parameter : model.parameters()) {
    const int64_t count = parameter.tensor.numel() - parameter.tensor.count_nonzero().item<int64_t>();
    Value entry = parameterFacts(parameter);
    entry.set("zeros", count);
    parameters.push_back(std::move(entry));
    weights += parameter.tensor.numel();
    zeros += count;
  }
  Value::List costs;
  Value total;
  const Graph& graph = model.graph(Mode::kEval);
  if (inputShape) {
    int64_t sum = 0;
    for (const LayerCost& cost : graph.cost({exampleInput(model, *inputShape)})) {
      const bool isLayer = cost.layer != LayerCost::kNoLayer;
      costs.push_back(Value::Map{{"path", isLayer ? Value(graph.layers()[cost.layer].path) : Value()},
                                 {"outputShape", toValue(cost.outputShape)},
                                 {"multiplyAccumulates", cost.multiplyAccumulates}});
      sum += cost.multiplyAccumulates;
    }
    total = sum;
  }
  return Value::Map{
      {"count", weights},
      {"zeros", zeros},
      {"parameters", std::move(parameters)},
      {"costs", std::move(costs)},
      {"multiplyAccumulates", total},
      {"unknowns", listOf(graph.unknowns(),
                          [](const Unknown& unknown) {
                            return Value(Value::Map{
                                {"op", unknown.op}, {"source", unknown.source}, {"reason", unknown.reason}});
                          })},
      {"bytes", model.bytes()},
      {"digest", model.digest()},
      {"manifest", model.manifest()}};
}

}  // namespace espalier
