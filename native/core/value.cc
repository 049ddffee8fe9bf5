#include "core/value.h"

#include <cmath>

#include "core/error.h"

namespace espalier {

namespace {
[[noreturn]] void wrongType(std::string_view expected, const Value& found) {
  fail(ErrorCode::kInvalidArgType, "expected a ", expected, ", received a ", found.typeName());
}
}  // namespace

bool Value::asBool() const {
  if (const bool* value = std::get_if<bool>(&data_)) return *value;
  wrongType("boolean", *this);
}

int64_t Value::asInt() const {
  if (const int64_t* value = std::get_if<int64_t>(&data_)) return *value;
  if (const double* value = std::get_if<double>(&data_)) {
    constexpr double kSafe = 9007199254740992.0;  // 2^53: above it a double does not name one integer
    if (std::trunc(*value) == *value && std::abs(*value) <= kSafe) return static_cast<int64_t>(*value);
    fail(ErrorCode::kInvalidArgType, "expected a whole number, received ", *value);
  }
  wrongType("whole number", *this);
}

double Value::asDouble() const {
  if (const double* value = std::get_if<double>(&data_)) return *value;
  if (const int64_t* value = std::get_if<int64_t>(&data_)) return static_cast<double>(*value);
  wrongType("number", *this);
}

const std::string& Value::asString() const {
  if (const std::string* value = std::get_if<std::string>(&data_)) return *value;
  wrongType("string", *this);
}

const Value::List& Value::asList() const {
  if (const List* value = std::get_if<List>(&data_)) return *value;
  wrongType("list", *this);
}

const Value::Map& Value::asMap() const {
  if (const Map* value = std::get_if<Map>(&data_)) return *value;
  wrongType("map", *this);
}

const HandlePtr& Value::asHandle() const {
  if (const HandlePtr* value = std::get_if<HandlePtr>(&data_)) return *value;
  wrongType("handle", *this);
}

const Value* Value::find(std::string_view key) const {
  for (const Entry& entry : asMap()) {
    if (entry.first == key) return &entry.second;
  }
  return nullptr;
}

const Value& Value::at(std::string_view key) const {
  if (const Value* value = find(key)) return *value;
  fail(ErrorCode::kInvalidArgType, "expected an entry named ", key, ", found none");
}

Value& Value::set(std::string_view key, Value value) {
  if (isNull()) data_ = Map{};
  Map* map = std::get_if<Map>(&data_);
  if (map == nullptr) wrongType("map", *this);
  for (Entry& entry : *map) {
    if (entry.first == key) {
      entry.second = std::move(value);
      return *this;
    }
  }
  map->emplace_back(std::string(key), std::move(value));
  return *this;
}

Value& Value::push(Value value) {
  if (isNull()) data_ = List{};
  List* list = std::get_if<List>(&data_);
  if (list == nullptr) wrongType("list", *this);
  list->push_back(std::move(value));
  return *this;
}

std::string_view Value::typeName() const {
  if (const HandlePtr* handle = std::get_if<HandlePtr>(&data_)) {
    return *handle ? (*handle)->kind() : std::string_view("null");
  }
  constexpr std::string_view kNames[] = {"null", "boolean", "number", "number", "string", "list", "map"};
  return kNames[data_.index()];
}

}  // namespace espalier
