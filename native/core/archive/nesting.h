#pragma once

#include <cstddef>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "core/archive/lexer.h"

// libtorch's parser and compiler recurse over source text without a limit of their own. These measure how far
// they would, before they see it.
namespace espalier {

// Each level takes up to 1.5 KiB of stack; libtorch writes about a dozen.
constexpr size_t kDeepestExpression = 200;
constexpr size_t kDeepestBlock = 100;
// A function or class that is being compiled takes as much as this many levels of an expression.
constexpr size_t kDefinitionLevels = 4;
// Levels of everything that is being compiled at once: at most 1.5 MiB, what the smallest usual stack can
// give.
constexpr size_t kDeepestChain = 1000;

// An upper bound of the levels of the expression being read: brackets, and the operators, calls, selections
// and subscripts that follow one another without a comma between.
class ExpressionDepth {
 public:
  // The bound behind this token.
  size_t add(const Token& token);

 private:
  std::vector<size_t> levels_{0};
  size_t total_ = 0;
};

// The deepest level that the text reaches.
size_t expressionDepth(std::string_view text);

struct OperatorUse {
  std::string name;  // "namespace::name" of an `ops.` expression
  std::string file;
  size_t line = 0;
};

// What the archive's code defines, what each definition refers to, and how deep it is.
class CodeOutline {
 public:
  explicit CodeOutline(std::string path) : path_(std::move(path)) {}

  // `record` is "code/__torch__/....py". ERR_MODEL_LOAD when an expression or block is too deep.
  void addFile(const std::string& record, std::string_view source);
  // ERR_MODEL_LOAD when compiling the classes, in this order, would go too deep.
  void checkChains(const std::vector<std::string>& classes) const;
  const std::vector<OperatorUse>& operators() const { return operators_; }

 private:
  struct Definition {
    size_t depth = 0;                     // of its deepest line
    std::vector<std::string> references;  // qualified names; for a method also its siblings
  };
  // Longest first, the name that is defined: of "__torch__.a.B.method" the class or the method.
  const Definition* resolve(const std::string& reference, std::string& name) const;

  std::string path_;
  std::map<std::string, Definition> definitions_;
  std::vector<OperatorUse> operators_;
};

}  // namespace espalier
