#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace espalier {

class Value;

// A thing that a caller holds by reference: Model, Domain, Dataset, Mask, Key, Trail.
class Handle {
 public:
  virtual ~Handle() = default;
  // The noun as the API spells it, e.g. "Model".
  virtual std::string_view kind() const = 0;
  // What stands for it in reports and in the identity of a run: plain data with digests, no bytes, no paths.
  virtual Value describe() const = 0;
};
using HandlePtr = std::shared_ptr<Handle>;

// Plain data as it crosses every border of the core: options, reports, manifests, checkpoint headers.
// Maps keep the order of insertion, so that the same data always prints as the same bytes.
class Value {
 public:
  using List = std::vector<Value>;
  using Entry = std::pair<std::string, Value>;
  using Map = std::vector<Entry>;

  Value() = default;
  Value(std::nullptr_t) {}
  Value(bool value) : data_(value) {}
  Value(int value) : data_(static_cast<int64_t>(value)) {}
  Value(int64_t value) : data_(value) {}
  Value(double value) : data_(value) {}
  Value(const char* value) : data_(std::string(value)) {}
  Value(std::string_view value) : data_(std::string(value)) {}
  Value(std::string value) : data_(std::move(value)) {}
  Value(List value) : data_(std::move(value)) {}
  Value(Map value) : data_(std::move(value)) {}
  Value(HandlePtr value) : data_(std::move(value)) {}
  // A pointer of another kind must not turn into `true`.
  template <class T>
  Value(T*) = delete;

  bool isNull() const { return std::holds_alternative<std::monostate>(data_); }
  bool isBool() const { return std::holds_alternative<bool>(data_); }
  bool isInt() const { return std::holds_alternative<int64_t>(data_); }
  bool isNumber() const { return isInt() || std::holds_alternative<double>(data_); }
  bool isString() const { return std::holds_alternative<std::string>(data_); }
  bool isList() const { return std::holds_alternative<List>(data_); }
  bool isMap() const { return std::holds_alternative<Map>(data_); }
  bool isHandle() const { return std::holds_alternative<HandlePtr>(data_); }

  // Each throws ERR_INVALID_ARG_TYPE when the value is of another kind.
  bool asBool() const;
  int64_t asInt() const;  // also accepts a double that is a whole number
  double asDouble() const;
  const std::string& asString() const;
  const List& asList() const;
  const Map& asMap() const;
  const HandlePtr& asHandle() const;

  // The entry of a map; null when absent (a map holds no two entries of one name).
  const Value* find(std::string_view key) const;
  // The entry of a map, ERR_INVALID_ARG_TYPE when absent.
  const Value& at(std::string_view key) const;
  // Sets an entry of a map, in place or at the end. A null value becomes a map first.
  Value& set(std::string_view key, Value value);
  // Appends to a list. A null value becomes a list first.
  Value& push(Value value);

  // "null", "boolean", "number", "string", "list", "map", or the handle's noun.
  std::string_view typeName() const;
  bool operator==(const Value&) const = default;

 private:
  std::variant<std::monostate, bool, int64_t, double, std::string, List, Map, HandlePtr> data_;
};

// RFC 8259. Numbers print as the shortest text that reads back as the same double; whole numbers without a
// point. NaN and infinities print as null. A handle cannot be printed: ERR_INTERNAL.
std::string toJson(const Value& value, int indent = 0);
// Strict: no trailing text, no duplicate keys, nesting of at most 128; otherwise ERR_DATA_INVALID that names
// `what` and the offset.
Value parseJson(std::string_view text, std::string_view what);

}  // namespace espalier
