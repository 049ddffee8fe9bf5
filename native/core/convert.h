#pragma once

#include <cmath>

#include "core/error.h"
#include "core/fields.h"

// The one generic conversion between Value and structs with fields().
namespace espalier {

// Fills `target` from `value`. An absent or null entry leaves the default; an entry that no field has is
// ERR_INVALID_ARG_TYPE; a number outside its range is ERR_OUT_OF_RANGE. `path` names the thing in messages.
template <class T>
void fromValue(T& target, const Value& value, const std::string& path, const FieldSpec& spec = {});

template <class T>
Value toValue(const T& source);

// The schema of a field as plain data: { type, optional?, required?, default?, min?, max?, exclusiveMin?,
// exclusiveMax?, values?, of?, fields?, literal?, noun?, secret? }; `of` of a union lists its alternatives.
template <class T>
Value describe(const T& defaults, const FieldSpec& spec = {});

namespace detail {

inline std::string join(const std::string& path, std::string_view name) {
  return path.empty() ? std::string(name) : text(path, ".", name);
}

[[noreturn]] inline void expected(std::string_view what, const std::string& path, const Value& found) {
  fail(ErrorCode::kInvalidArgType, "expected ", what, " for ", path, ", received ",
       found.isString() ? text("'", found.asString(), "'") : std::string(found.typeName()));
}

inline void checkRange(double number, const FieldSpec& spec, const std::string& path) {
  const bool low = spec.exclusiveMin ? number <= spec.min && std::isfinite(spec.min) : number < spec.min;
  const bool high = spec.exclusiveMax ? number >= spec.max && std::isfinite(spec.max) : number > spec.max;
  if (!low && !high && !std::isnan(number)) return;
  std::string range;
  if (std::isfinite(spec.min)) range += text(spec.exclusiveMin ? " > " : " >= ", spec.min);
  if (std::isfinite(spec.max))
    range += text(range.empty() ? "" : " and", spec.exclusiveMax ? " < " : " <= ", spec.max);
  fail(ErrorCode::kOutOfRange, "expected a number", range, " for ", path, ", received ", number);
}

template <class Struct>
void structFromValue(Struct& target, const Value& value, const std::string& path) {
  if (!value.isMap()) expected("an object", path, value);
  std::vector<std::string_view> known;
  target.fields([&]<class T>(const char* name, T& member, const FieldSpec& spec = {}) {
    known.push_back(name);
    if (const Value* entry = value.find(name); entry != nullptr && !entry->isNull()) {
      fromValue(member, *entry, join(path, name), spec);
    } else if constexpr (HandlePointer<T>) {
      fail(ErrorCode::kInvalidArgType, "expected a ", T::element_type::kKind, " for ", join(path, name),
           ", received none");
    } else if (spec.required) {
      fail(ErrorCode::kInvalidArgType, "expected a value for ", join(path, name), ", received none");
    }
  });
  for (const Value::Entry& entry : value.asMap()) {
    if (std::find(known.begin(), known.end(), entry.first) == known.end()) {
      fail(ErrorCode::kInvalidArgType, "expected no entry named ", join(path, entry.first),
           ": it is not known here");
    }
  }
}

template <class E>
void enumFromValue(E& target, const Value& value, const std::string& path) {
  std::string names;
  for (const auto& [candidate, name] : EnumNames<E>::kNames) {
    if (value.isString() && value.asString() == name) {
      target = candidate;
      return;
    }
    names += text(names.empty() ? "'" : ", '", name, "'");
  }
  expected(text("one of ", names), path, value);
}

// Either one of a few words or an object that says more: 'channel' or { n, m }.
template <class Enum, class Struct>
  requires std::is_enum_v<Enum> && HasFields<Struct>
void variantFromValue(std::variant<Enum, Struct>& target, const Value& value, const std::string& path) {
  if (value.isMap()) {
    structFromValue(target.template emplace<Struct>(), value, path);
  } else {
    enumFromValue(target.template emplace<Enum>(), value, path);
  }
}

// Either one of a few words or a handle: 'scratch' or a Model.
template <class Enum, class Pointer>
  requires std::is_enum_v<Enum> && HandlePointer<Pointer>
void variantFromValue(std::variant<Enum, Pointer>& target, const Value& value, const std::string& path) {
  if (value.isHandle()) {
    fromValue(target.template emplace<Pointer>(), value, path);
  } else {
    enumFromValue(target.template emplace<Enum>(), value, path);
  }
}

}  // namespace detail

template <class T>
void fromValue(T& target, const Value& value, const std::string& path, const FieldSpec& spec) {
  if constexpr (std::is_same_v<T, Value>) {
    target = value;
  } else if constexpr (std::is_same_v<T, bool>) {
    if (!value.isBool()) detail::expected("a boolean", path, value);
    target = value.asBool();
  } else if constexpr (std::is_same_v<T, int64_t>) {
    if (!value.isNumber() || std::trunc(value.asDouble()) != value.asDouble()) {
      detail::expected("a whole number", path, value);
    }
    detail::checkRange(value.asDouble(), spec, path);
    target = value.asInt();
  } else if constexpr (std::is_same_v<T, double>) {
    if (!value.isNumber()) detail::expected("a number", path, value);
    detail::checkRange(value.asDouble(), spec, path);
    target = value.asDouble();
  } else if constexpr (std::is_same_v<T, std::string>) {
    if (!value.isString()) detail::expected("a string", path, value);
    target = value.asString();
  } else if constexpr (std::is_enum_v<T>) {
    detail::enumFromValue(target, value, path);
  } else if constexpr (trait::kIs<T, std::optional>) {
    if (value.isNull()) {
      target.reset();
    } else {
      fromValue(target.emplace(), value, path, spec);
    }
  } else if constexpr (trait::kIs<T, std::variant>) {
    detail::variantFromValue(target, value, path);
  } else if constexpr (trait::kIsLiteralOr<T>) {
    if (value.isString() && value.asString() == T::literal()) {
      target.value.reset();
    } else {
      fromValue(target.value.emplace(), value, path, spec);
    }
  } else if constexpr (HandlePointer<T>) {
    target =
        value.isHandle() ? std::dynamic_pointer_cast<typename T::element_type>(value.asHandle()) : nullptr;
    if (!target) detail::expected(text("a ", T::element_type::kKind), path, value);
  } else if constexpr (trait::kIs<T, std::vector>) {
    target.clear();
    if (!value.isList()) {  // one-or-list
      if constexpr (HandlePointer<typename T::value_type>) {
        fromValue(target.emplace_back(), value, path, spec);
        return;
      }
      detail::expected("a list", path, value);
    }
    for (size_t i = 0; i < value.asList().size(); ++i) {
      fromValue(target.emplace_back(), value.asList()[i], text(path, "[", i, "]"), spec);
    }
  } else if constexpr (trait::kIs<T, std::map>) {
    if (!value.isMap()) detail::expected("an object", path, value);
    target.clear();
    for (const Value::Entry& entry : value.asMap()) {
      fromValue(target[entry.first], entry.second, detail::join(path, entry.first), spec);
    }
  } else {
    static_assert(HasFields<T>, "a field's type must be plain, a handle, or a struct with fields()");
    detail::structFromValue(target, value, path);
  }
}

template <class T>
Value toValue(const T& source) {
  if constexpr (std::is_same_v<T, Value> || std::is_arithmetic_v<T> || std::is_same_v<T, std::string>) {
    return source;
  } else if constexpr (std::is_enum_v<T>) {
    return enumName(source);
  } else if constexpr (trait::kIs<T, std::optional>) {
    return source ? toValue(*source) : Value();
  } else if constexpr (trait::kIs<T, std::variant>) {
    return std::visit([](const auto& alternative) { return toValue(alternative); }, source);
  } else if constexpr (trait::kIsLiteralOr<T>) {
    return source.value ? toValue(*source.value) : Value(T::literal());
  } else if constexpr (HandlePointer<T>) {
    return source ? Value(HandlePtr(source)) : Value();
  } else if constexpr (trait::kIs<T, std::vector>) {
    Value::List list;
    for (const auto& item : source) list.push_back(toValue<typename T::value_type>(item));
    return list;
  } else if constexpr (trait::kIs<T, std::map>) {
    Value::Map map;
    for (const auto& [name, item] : source) map.emplace_back(name, toValue(item));
    return map;
  } else {
    static_assert(HasFields<T>, "a field's type must be plain, a handle, or a struct with fields()");
    Value::Map map;
    // fields() serves reading and writing, so it is not const; nothing is written here.
    const_cast<T&>(source).fields([&]<class M>(const char* name, M& member, const FieldSpec& spec = {}) {
      map.emplace_back(name, spec.secret ? Value("<secret>") : toValue(std::as_const(member)));
    });
    return map;
  }
}

template <class T>
Value describe(const T& defaults, const FieldSpec& spec) {
  Value out;
  const auto number = [&](std::string_view type) {
    out.set("type", type);
    if (std::isfinite(spec.min)) out.set(spec.exclusiveMin ? "exclusiveMin" : "min", spec.min);
    if (std::isfinite(spec.max)) out.set(spec.exclusiveMax ? "exclusiveMax" : "max", spec.max);
    out.set("default", toValue(defaults));
  };
  if constexpr (std::is_same_v<T, Value>) {
    out.set("type", "any");
  } else if constexpr (std::is_same_v<T, bool>) {
    out.set("type", "boolean").set("default", defaults);
  } else if constexpr (std::is_same_v<T, int64_t>) {
    number("integer");
  } else if constexpr (std::is_same_v<T, double>) {
    number("number");
  } else if constexpr (std::is_same_v<T, std::string>) {
    out.set("type", "string").set("default", defaults);
  } else if constexpr (std::is_enum_v<T>) {
    Value values = Value::List{};
    for (const auto& entry : EnumNames<T>::kNames) values.push(entry.second);
    out.set("type", "enum").set("values", std::move(values)).set("default", enumName(defaults));
  } else if constexpr (trait::kIs<T, std::optional>) {
    using Inner = typename T::value_type;
    out = describe(defaults.value_or(Inner{}), spec);
    out.set("optional", true);
    out.set("default", defaults ? toValue(*defaults) : Value());
  } else if constexpr (trait::kIs<T, std::variant>) {
    Value alternatives = Value::List{};
    alternatives.push(describe(std::variant_alternative_t<0, T>{}));
    alternatives.push(describe(std::variant_alternative_t<1, T>{}));
    out.set("type", "union").set("of", std::move(alternatives)).set("default", toValue(defaults));
  } else if constexpr (trait::kIsLiteralOr<T>) {
    using Inner = typename decltype(T::value)::value_type;
    out = describe(defaults.value.value_or(Inner{}), spec);
    out.set("literal", T::literal());
    if constexpr (!HandlePointer<Inner>) out.set("default", toValue(defaults));
  } else if constexpr (HandlePointer<T>) {
    out.set("type", "handle").set("noun", T::element_type::kKind);
  } else if constexpr (trait::kIs<T, std::vector>) {
    out.set("type", "list").set("of", describe(typename T::value_type{}, spec));
    if constexpr (!HandlePointer<typename T::value_type>) out.set("default", toValue(defaults));
  } else if constexpr (trait::kIs<T, std::map>) {
    out.set("type", "map")
        .set("of", describe(typename T::mapped_type{}, spec))
        .set("default", toValue(defaults));
  } else {
    Value members = Value::Map{};
    const_cast<T&>(defaults).fields(
        [&]<class M>(const char* name, M& member, const FieldSpec& memberSpec = {}) {
          Value field = describe(std::as_const(member), memberSpec);
          if (memberSpec.required) field.set("required", true);
          members.set(name, std::move(field));
        });
    out.set("type", "object").set("fields", std::move(members));
  }
  if (spec.secret) out.set("secret", true);
  return out;
}

}  // namespace espalier
