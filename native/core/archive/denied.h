#pragma once

#include <string_view>

namespace espalier {

enum class OperatorVerdict { kAllowed, kUnsafe, kUnknown };

struct OperatorRule {
  OperatorVerdict verdict = OperatorVerdict::kAllowed;
  std::string_view why;  // what an unsafe operator reaches
};

// What a model file may ask for: `name` is "namespace::name", as the graph spells it.
OperatorRule ruleOf(std::string_view name);

}  // namespace espalier
