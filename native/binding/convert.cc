#include "binding/convert.h"

#include <cmath>

#include "binding/handles.h"
#include "core/error.h"

namespace espalier::binding {

namespace {

constexpr int kMaxDepth = 128;
constexpr double kMaxSafe = 9007199254740991;

Value fromJs(const Napi::Value& value, const std::string& name, int depth);

Value numberFromJs(double number) {
  if (std::trunc(number) == number && std::fabs(number) <= kMaxSafe) return static_cast<int64_t>(number);
  return number;
}

Value listFromJs(const Napi::Array& array, const std::string& name, int depth) {
  Value::List list;
  for (uint32_t i = 0; i < array.Length(); ++i) {
    list.push_back(fromJs(array.Get(i), text(name, "[", i, "]"), depth + 1));
  }
  return list;
}

Value mapFromJs(const Napi::Object& object, const std::string& name, int depth) {
  Value::Map map;
  const Napi::Array keys = object.GetPropertyNames();
  for (uint32_t i = 0; i < keys.Length(); ++i) {
    std::string key = keys.Get(i).ToString();
    const Napi::Value entry = object.Get(key);
    if (entry.IsUndefined()) continue;
    Value converted = fromJs(entry, name.empty() ? key : text(name, ".", key), depth + 1);
    map.emplace_back(std::move(key), std::move(converted));
  }
  return map;
}

Value fromJs(const Napi::Value& value, const std::string& name, int depth) {
  if (depth > kMaxDepth) {
    fail(ErrorCode::kInvalidArgType, "expected a nesting of at most ", kMaxDepth, " for ", name);
  }
  switch (value.Type()) {
    case napi_undefined:
    case napi_null:
      return nullptr;
    case napi_boolean:
      return value.As<Napi::Boolean>().Value();
    case napi_number:
      return numberFromJs(value.As<Napi::Number>().DoubleValue());
    case napi_string:
      return value.As<Napi::String>().Utf8Value();
    case napi_object:
      break;
    default:
      fail(ErrorCode::kInvalidArgType, "expected plain data for ", name, ", received what is none");
  }
  if (value.IsArray()) return listFromJs(value.As<Napi::Array>(), name, depth);
  if (isHandle(value)) return unwrap(value, name);
  return mapFromJs(value.As<Napi::Object>(), name, depth);
}

}  // namespace

Value fromJs(const Napi::Value& value, const std::string& name) { return fromJs(value, name, 0); }

Napi::Value plainToJs(Napi::Env env, const Value& value) {
  if (value.isNull()) return env.Null();
  if (value.isBool()) return Napi::Boolean::New(env, value.asBool());
  if (value.isNumber()) return Napi::Number::New(env, value.asDouble());
  if (value.isString()) return Napi::String::New(env, value.asString());
  if (value.isList()) {
    Napi::Array array = Napi::Array::New(env, value.asList().size());
    uint32_t i = 0;
    for (const Value& item : value.asList()) array.Set(i++, plainToJs(env, item));
    return array;
  }
  if (value.isMap()) {
    Napi::Object object = Napi::Object::New(env);
    for (const auto& [key, entry] : value.asMap()) object.Set(key, plainToJs(env, entry));
    return object;
  }
  fail(ErrorCode::kInternal, "a ", value.typeName(), " is not plain data");
}

}  // namespace espalier::binding
