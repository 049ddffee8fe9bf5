#pragma once

#include <optional>
#include <string_view>

#include <c10/core/ScalarType.h>

namespace espalier {

// The element types that cross to the caller, as the API spells them.
inline constexpr std::pair<c10::ScalarType, std::string_view> kDtypes[] = {
    {c10::kFloat, "float32"}, {c10::kDouble, "float64"}, {c10::kInt, "int32"},
    {c10::kLong, "int64"},    {c10::kByte, "uint8"},     {c10::kChar, "int8"},
    {c10::kBool, "bool"},     {c10::kHalf, "float16"},   {c10::kBFloat16, "bfloat16"},
};

// libtorch's own name for a type that the API has none for.
inline std::string_view dtypeName(c10::ScalarType type) {
  for (const auto& [candidate, name] : kDtypes) {
    if (candidate == type) return name;
  }
  return c10::toString(type);
}

inline std::optional<c10::ScalarType> findDtype(std::string_view name) {
  for (const auto& [type, candidate] : kDtypes) {
    if (candidate == name) return type;
  }
  return std::nullopt;
}

}  // namespace espalier
