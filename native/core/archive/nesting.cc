#include "core/archive/nesting.h"

#include <algorithm>
#include <array>
#include <unordered_set>

#include "core/error.h"

namespace espalier {
namespace {

using Kind = Token::Kind;

bool isOperatorWord(std::string_view name) {
  constexpr std::array<std::string_view, 8> kWords = {"and", "or", "not", "if", "else", "in", "is", "for"};
  return std::find(kWords.begin(), kWords.end(), name) != kWords.end();
}

// "code/__torch__/a/b.py" -> "__torch__.a.b"
std::string moduleOf(std::string_view record) {
  record.remove_prefix(std::string_view("code/").size());
  record.remove_suffix(std::string_view(".py").size());
  std::string name(record);
  std::replace(name.begin(), name.end(), '/', '.');
  return name;
}

// A dotted name that is being read.
struct Names {
  std::vector<std::string_view> parts;
  bool afterDot = false;
  size_t line = 0;

  std::string joined() const {
    std::string name;
    for (const std::string_view part : parts) {
      if (!name.empty()) name += '.';
      name += part;
    }
    return name;
  }
};

}  // namespace

size_t ExpressionDepth::add(const Token& token) {
  const auto count = [&](size_t levels) {
    levels_.back() += levels;
    total_ += levels;
  };
  switch (token.kind) {
    case Kind::kOpen:
      count(1);
      levels_.push_back(0);
      break;
    case Kind::kClose:
    case Kind::kComma:
      total_ -= levels_.back();
      levels_.back() = 0;
      if (token.kind == Kind::kClose && levels_.size() > 1) levels_.pop_back();
      break;
    case Kind::kNewline:
      levels_.assign(1, 0);
      total_ = 0;
      break;
    case Kind::kOperator:
      count(1);
      break;
    case Kind::kName:
      if (isOperatorWord(token.text)) count(1);
      break;
    default:
      break;
  }
  return total_;
}

size_t expressionDepth(std::string_view text) {
  Lexer lexer(text);
  ExpressionDepth depth;
  size_t deepest = 0;
  for (Token token = lexer.next(); token.kind != Kind::kEnd; token = lexer.next()) {
    deepest = std::max(deepest, depth.add(token));
  }
  return deepest;
}

void CodeOutline::addFile(const std::string& record, std::string_view source) {
  const std::string module = moduleOf(record);
  const auto refuse = [&](size_t line, const auto&... why) {
    fail(ErrorCode::kModelLoad, "'", path_, "', record '", record, "', line ", line, ": ", why...);
  };
  if (source.find('\0') != source.npos) refuse(1, "the code holds a zero byte");

  Lexer lexer(source);
  ExpressionDepth depth;
  Names names;
  size_t indent = 0;
  std::string className;
  std::vector<std::string> methods;
  Definition* definition = nullptr;
  std::string_view previous;

  const auto finishNames = [&](bool called) {
    if (names.parts.empty()) return;
    const std::string name = names.joined();
    if (names.parts[0] == "__torch__" && definition != nullptr) definition->references.push_back(name);
    if (names.parts[0] == "ops" && names.parts.size() >= 3 && !names.afterDot) {
      operators_.push_back({text(names.parts[1], "::", names.parts[2]), record, names.line});
    }
    // A method compiles the methods that it calls, of which those of its own class may be not compiled yet.
    if (called && !className.empty() && definition != nullptr && (names.parts.size() > 1 || names.afterDot)) {
      definition->references.push_back(className + "." + std::string(names.parts.back()));
    }
    names.parts.clear();
  };

  for (Token token = lexer.next(); token.kind != Kind::kEnd; token = lexer.next()) {
    const size_t expression = depth.add(token);
    if (expression > kDeepestExpression) {
      refuse(token.line, "an expression is nested more than ", kDeepestExpression, " levels deep");
    }
    if (token.kind == Kind::kNewline) {
      indent = token.indent;
      if (indent > kDeepestBlock)
        refuse(token.line, "blocks are nested more than ", kDeepestBlock, " levels deep");
    }
    if (token.kind == Kind::kName && token.text == "lambda") refuse(token.line, "the code holds a lambda");
    if (token.kind == Kind::kName && (previous == "class" || (previous == "def" && indent <= 1))) {
      const bool isClass = previous == "class";
      const std::string owner = !isClass && indent == 1 && !className.empty() ? className : module;
      const std::string name = owner + "." + std::string(token.text);
      if (isClass) className = name;
      if (!isClass && indent == 0) className.clear();
      definition = &definitions_[name];
      // A class compiles its methods, in order.
      if (owner == className && !isClass) definitions_[className].references.push_back(name);
    }
    if (definition != nullptr) definition->depth = std::max(definition->depth, expression + indent);

    if (token.kind == Kind::kName && (names.parts.empty() || previous == ".")) {
      if (names.parts.empty()) {
        names.line = token.line;
        names.afterDot = previous == ".";
      }
      names.parts.push_back(token.text);
    } else if (!(token.kind == Kind::kOperator && token.text == "." && !names.parts.empty())) {
      finishNames(token.kind == Kind::kOpen && token.text == "(");
      if (token.kind == Kind::kName) {
        names.line = token.line;
        names.afterDot = false;
        names.parts.push_back(token.text);
      }
    }
    previous = token.text;
  }
  finishNames(false);
}

const CodeOutline::Definition* CodeOutline::resolve(const std::string& reference, std::string& name) const {
  name = reference;
  for (int shortened = 0; shortened < 3 && !name.empty(); ++shortened) {
    const auto found = definitions_.find(name);
    if (found != definitions_.end()) return &found->second;
    const size_t dot = name.rfind('.');
    name.resize(dot == std::string::npos ? 0 : dot);
  }
  return nullptr;
}

void CodeOutline::checkChains(const std::vector<std::string>& classes) const {
  struct Frame {
    const Definition* definition;
    size_t next;
  };
  std::unordered_set<const Definition*> visited;
  std::vector<Frame> frames;
  size_t chain = 0;
  std::string name;
  const auto enter = [&](const std::string& reference) {
    const Definition* definition = resolve(reference, name);
    if (definition == nullptr || !visited.insert(definition).second) return;
    chain += definition->depth + kDefinitionLevels;
    if (chain > kDeepestChain) {
      fail(ErrorCode::kModelLoad, "'", path_, "': compiling '", name, "' needs definitions nested more than ",
           kDeepestChain, " levels deep");
    }
    frames.push_back({definition, 0});
  };
  for (const std::string& className : classes) {
    enter(className);
    while (!frames.empty()) {
      Frame& frame = frames.back();
      if (frame.next == frame.definition->references.size()) {
        chain -= frame.definition->depth + kDefinitionLevels;
        frames.pop_back();
      } else {
        enter(frame.definition->references[frame.next++]);
      }
    }
  }
}

}  // namespace espalier
