#include "check.h"
#include "core/convert.h"

using namespace espalier;

namespace {

enum class Scope { kGlobal, kLayer };

struct Inner {
  int64_t epochs = 1;
  template <class V>
  void fields(V&& visit) {
    visit("epochs", epochs, {.min = 1});
  }
};

struct Options {
  double sparsity = 0.5;
  Scope scope = Scope::kGlobal;
  std::optional<Inner> fineTune;
  std::vector<double> rates;
  LiteralOr<"auto", int64_t> batchSize;
  std::string secretKey = "k";
  template <class V>
  void fields(V&& visit) {
    visit("sparsity", sparsity, {.min = 0, .max = 1, .exclusiveMax = true});
    visit("scope", scope);
    visit("fineTune", fineTune);
    visit("rates", rates);
    visit("batchSize", batchSize, {.min = 1});
    visit("secretKey", secretKey, {.secret = true});
  }
};

}  // namespace

template <>
struct espalier::EnumNames<Scope> {
  static constexpr EnumName<Scope> kNames[] = {{Scope::kGlobal, "global"}, {Scope::kLayer, "layer"}};
};

TEST("convert: a struct reads its fields and keeps defaults for the rest") {
  Options options;
  fromValue(
      options,
      parseJson(R"({"sparsity":0.9,"scope":"layer","fineTune":{"epochs":3},"rates":[1,2.5]})", "options"),
      "");
  EXPECT_NEAR(options.sparsity, 0.9, 0);
  EXPECT(options.scope == Scope::kLayer);
  EXPECT_EQ(options.fineTune->epochs, 3);
  EXPECT_EQ(options.rates.size(), 2U);
  EXPECT(!options.batchSize.value.has_value());
}

TEST("convert: errors name the field, what was expected and what was found") {
  Options options;
  auto error = ERROR_OF(fromValue(options, parseJson(R"({"fineTune":{"epochs":0}})", "o"), ""));
  EXPECT_EQ(error.message(), "expected a number >= 1 for fineTune.epochs, received 0");
  EXPECT(error.code() == ErrorCode::kOutOfRange);
  error = ERROR_OF(fromValue(options, parseJson(R"({"scope":"all"})", "o"), ""));
  EXPECT_EQ(error.message(), "expected one of 'global', 'layer' for scope, received 'all'");
  error = ERROR_OF(fromValue(options, parseJson(R"({"sparsty":1})", "o"), ""));
  EXPECT(error.message().find("sparsty") != std::string::npos);
  error = ERROR_OF(fromValue(options, parseJson(R"({"sparsity":1})", "o"), ""));
  EXPECT_EQ(error.message(), "expected a number >= 0 and < 1 for sparsity, received 1");
}

struct Needy {
  double sparsity = 0;
  template <class V>
  void fields(V&& visit) {
    visit("sparsity", sparsity, {.min = 0, .max = 1, .required = true});
  }
};

TEST("convert: a required field that is absent is named, and the schema says that it is required") {
  Needy needy;
  const auto error = ERROR_OF(fromValue(needy, Value(Value::Map{}), ""));
  EXPECT_EQ(error.message(), "expected a value for sparsity, received none");
  EXPECT_EQ(toJson(describe(Needy{}).at("fields").at("sparsity").at("required")), "true");
}

TEST("convert: secrets are never written in clear") {
  EXPECT(toJson(toValue(Options{})).find("\"k\"") == std::string::npos);
}

TEST("convert: the schema tells type, range, enum values and default") {
  const Value schema = describe(Options{});
  EXPECT_EQ(toJson(schema.at("fields").at("sparsity")),
            R"({"type":"number","min":0,"exclusiveMax":1,"default":0.5})");
  EXPECT_EQ(toJson(schema.at("fields").at("scope")),
            R"({"type":"enum","values":["global","layer"],"default":"global"})");
  EXPECT_EQ(toJson(schema.at("fields").at("batchSize")),
            R"({"type":"integer","min":1,"default":"auto","literal":"auto"})");
}

TEST("json: what is written reads back the same") {
  const char* source = R"({"a":[1,2.5,-3e-7,true,null,"x\"\\\n\u0001é"],"b":{"c":{}},"d":9007199254740993})";
  const Value value = parseJson(source, "test");
  EXPECT(parseJson(toJson(value), "test") == value);
  EXPECT(parseJson(toJson(value, 2), "test") == value);
  EXPECT_EQ(parseJson("\"\\ud83d\\ude00\"", "test").asString(), "\xF0\x9F\x98\x80");
}

TEST("json: refuses what is not JSON and says where") {
  for (const char* bad : {"", "{", "[1,]", "{\"a\":1,\"a\":2}", "01", "1 2", "\"\\x\"", "nul", "[1", "\"a",
                          "{a:1}", "\"\\ud800\"", "1e", "-"}) {
    EXPECT(ERROR_OF(parseJson(bad, "test.json")).code() == ErrorCode::kDataInvalid);
  }
  const std::string deep(100000, '[');
  EXPECT(ERROR_OF(parseJson(deep, "deep.json")).message().find("deep.json") == 0);
}
