#pragma once

#include <cstddef>
#include <string_view>
#include <vector>

namespace espalier {

struct Token {
  enum class Kind { kName, kLiteral, kOperator, kOpen, kClose, kComma, kNewline, kEnd };
  Kind kind = Kind::kEnd;
  std::string_view text;
  size_t line = 0;
  size_t indent = 0;  // of a kNewline: how many blocks the following line is in
};

// Splits TorchScript source as libtorch's own lexer does: strings, comments, continued lines, indentation. It
// is only as strict as measuring needs; libtorch refuses what is not the language.
class Lexer {
 public:
  explicit Lexer(std::string_view source) : source_(source) {}
  Token next();

 private:
  void skipBlank();
  size_t endOfString() const;
  Token newline();
  Token token(Token::Kind kind, size_t end);

  std::string_view source_;
  size_t at_ = 0;
  size_t line_ = 1;
  size_t nesting_ = 0;
  std::vector<size_t> indents_{0};
};

}  // namespace espalier
