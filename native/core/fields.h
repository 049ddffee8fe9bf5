#pragma once

#include <algorithm>
#include <concepts>
#include <cstdint>
#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "core/value.h"

// How a struct tells its fields. It has one member
//
//   template <class V> void fields(V&& visit) { visit("sparsity", sparsity, {.min = 0, .max = 1}); ... }
//
// that names every field once; conversion (convert.h), the schema that the drift test compares with
// TypeScript, and checkpoints (core/state) are visitors of it.
namespace espalier {

// What a field allows besides its type. For a list or map it holds for each element.
struct FieldSpec {
  double min = -std::numeric_limits<double>::infinity();
  double max = std::numeric_limits<double>::infinity();
  bool exclusiveMin = false;
  bool exclusiveMax = false;
  // Never in a manifest, report, log or checkpoint in clear (keys, patch seeds).
  bool secret = false;
  // The caller must give it: the member's initial value is no default.
  bool required = false;
};

// The names of an enumeration, as the API spells them:
//   template <> struct EnumNames<Scope> { static constexpr EnumName<Scope> kNames[] = {{Scope::kGlobal,
//   "global"}, ...}; };
template <class E>
using EnumName = std::pair<E, std::string_view>;
template <class E>
struct EnumNames;

template <class E>
  requires std::is_enum_v<E>
std::string_view enumName(E value) {
  for (const auto& [candidate, name] : EnumNames<E>::kNames) {
    if (candidate == value) return name;
  }
  return "?";
}

// A string as a template argument.
template <size_t N>
struct Literal {
  char characters[N]{};
  constexpr Literal(const char (&source)[N]) { std::copy_n(source, N, characters); }
  constexpr std::string_view view() const { return {characters, N - 1}; }
};

// A literal such as 'auto' in the place of a value; empty means the literal.
template <Literal kLiteral, class T>
struct LiteralOr {
  std::optional<T> value;
  static constexpr std::string_view literal() { return kLiteral.view(); }
};

namespace trait {

template <class T, template <class...> class Template>
inline constexpr bool kIs = false;
template <template <class...> class Template, class... Arguments>
inline constexpr bool kIs<Template<Arguments...>, Template> = true;

template <class T>
inline constexpr bool kIsLiteralOr = false;
template <Literal kLiteral, class T>
inline constexpr bool kIsLiteralOr<LiteralOr<kLiteral, T>> = true;

}  // namespace trait

struct AnyVisitor {
  template <class T>
  void operator()(const char*, T&, FieldSpec = {}) const {}
};

template <class T>
concept HasFields = requires(T value, AnyVisitor visitor) { value.fields(visitor); };

// shared_ptr<Model> and the like; T::kKind is its noun.
template <class T>
concept HandlePointer = trait::kIs<T, std::shared_ptr> && requires {
  { T::element_type::kKind } -> std::convertible_to<std::string_view>;
};

}  // namespace espalier
