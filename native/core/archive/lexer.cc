#include "core/archive/lexer.h"

#include <algorithm>
#include <string>

namespace espalier {
namespace {

constexpr std::string_view kTypeComment = "# type:";

bool isNameStart(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
bool isDigit(char c) { return c >= '0' && c <= '9'; }

}  // namespace

// What is skipped between tokens: blanks, comments (except type comments, which are code), continued lines,
// and inside brackets every newline.
void Lexer::skipBlank() {
  while (at_ < source_.size()) {
    const char c = source_[at_];
    const bool continued = c == '\\' && at_ + 1 < source_.size() && source_[at_ + 1] == '\n';
    if (c == ' ' || c == '\t' || c == '\r' || c == '\f' || c == '\v') {
      ++at_;
    } else if (continued) {
      at_ += 2;
      ++line_;
    } else if (c == '\n' && nesting_ > 0) {
      ++at_;
      ++line_;
    } else if (c == '#' && source_.substr(at_, kTypeComment.size()) != kTypeComment) {
      at_ = std::min(source_.find('\n', at_), source_.size());
    } else {
      return;
    }
  }
}

Token Lexer::token(Token::Kind kind, size_t end) {
  const std::string_view text = source_.substr(at_, end - at_);
  const Token result{kind, text, line_, 0};
  line_ += static_cast<size_t>(std::count(text.begin(), text.end(), '\n'));
  at_ = end;
  return result;
}

Token Lexer::newline() {
  Token result{Token::Kind::kNewline, source_.substr(at_, 1), line_, 0};
  size_t column = 0;
  while (at_ < source_.size() && source_[at_] == '\n') {
    ++at_;
    ++line_;
    for (column = 0; at_ < source_.size() && (source_[at_] == ' ' || source_[at_] == '\t'); ++at_) ++column;
  }
  while (indents_.size() > 1 && indents_.back() > column) indents_.pop_back();
  if (indents_.back() < column) indents_.push_back(column);
  result.indent = indents_.size() - 1;
  return result;
}

// Behind the closing quotation mark; the position itself when there is none on the line.
size_t Lexer::endOfString() const {
  const char quote = source_[at_];
  const bool triple = at_ + 2 < source_.size() && source_[at_ + 1] == quote && source_[at_ + 2] == quote;
  const size_t length = triple ? 3 : 1;
  size_t end = at_ + length;
  const std::string closing(length, quote);
  while (end < source_.size() && source_.substr(end, length) != closing) {
    if (source_[end] == '\n' && !triple) return at_;
    end += source_[end] == '\\' ? 2 : 1;
  }
  return end < source_.size() ? end + length : at_;
}

Token Lexer::next() {
  skipBlank();
  if (at_ >= source_.size()) return {Token::Kind::kEnd, {}, line_, 0};
  const char c = source_[at_];
  if (c == '\n') return newline();
  if (c == '\'' || c == '"') {
    const size_t end = endOfString();
    return token(Token::Kind::kLiteral, end == at_ ? at_ + 1 : end);
  }
  size_t end = at_ + 1;
  if (isNameStart(c)) {
    while (end < source_.size() && (isNameStart(source_[end]) || isDigit(source_[end]))) ++end;
    return token(Token::Kind::kName, end);
  }
  if (isDigit(c)) {
    // The sign of an exponent belongs to the number.
    const auto inNumber = [&](char next) {
      const bool afterExponent = source_[end - 1] == 'e' || source_[end - 1] == 'E';
      return isDigit(next) || isNameStart(next) || next == '.' ||
             (afterExponent && (next == '-' || next == '+'));
    };
    while (end < source_.size() && inNumber(source_[end])) ++end;
    return token(Token::Kind::kLiteral, end);
  }
  if (c == '(' || c == '[' || c == '{') {
    ++nesting_;
    return token(Token::Kind::kOpen, end);
  }
  if (c == ')' || c == ']' || c == '}') {
    if (nesting_ > 0) --nesting_;
    return token(Token::Kind::kClose, end);
  }
  if (c == ',') return token(Token::Kind::kComma, end);
  return token(Token::Kind::kOperator, end);
}

}  // namespace espalier
