#include <charconv>
#include <cmath>
#include <set>

#include "core/error.h"
#include "core/value.h"

namespace espalier {

namespace {

constexpr int kMaxDepth = 128;

void writeString(std::string& out, std::string_view value) {
  constexpr char kHex[] = "0123456789abcdef";
  out += '"';
  for (const char c : value) {
    const auto byte = static_cast<unsigned char>(c);
    switch (c) {
      case '"':
        out += "\\\"";
        break;
      case '\\':
        out += "\\\\";
        break;
      case '\n':
        out += "\\n";
        break;
      case '\r':
        out += "\\r";
        break;
      case '\t':
        out += "\\t";
        break;
      default:
        if (byte < 0x20) {
          out += "\\u00";
          out += kHex[byte >> 4];
          out += kHex[byte & 15];
        } else {
          out += c;
        }
    }
  }
  out += '"';
}

void writeNumber(std::string& out, double value) {
  if (!std::isfinite(value)) {
    out += "null";
    return;
  }
  char buffer[32];
  const auto [end, error] = std::to_chars(buffer, buffer + sizeof buffer, value);
  out.append(buffer, error == std::errc() ? end : buffer);
}

class Writer {
 public:
  explicit Writer(int indent) : indent_(indent) {}

  std::string take(const Value& value) {
    write(value, 0);
    return std::move(out_);
  }

 private:
  void newline(int depth) {
    if (indent_ == 0) return;
    out_ += '\n';
    out_.append(static_cast<size_t>(indent_) * depth, ' ');
  }

  void write(const Value& value, int depth) {
    if (value.isNull()) {
      out_ += "null";
    } else if (value.isBool()) {
      out_ += value.asBool() ? "true" : "false";
    } else if (value.isInt()) {
      out_ += std::to_string(value.asInt());
    } else if (value.isNumber()) {
      writeNumber(out_, value.asDouble());
    } else if (value.isString()) {
      writeString(out_, value.asString());
    } else if (value.isList()) {
      writeAll('[', ']', value.asList(), depth, [&](const Value& item) { write(item, depth + 1); });
    } else if (value.isMap()) {
      writeAll('{', '}', value.asMap(), depth, [&](const Value::Entry& entry) {
        writeString(out_, entry.first);
        out_ += indent_ == 0 ? ":" : ": ";
        write(entry.second, depth + 1);
      });
    } else {
      fail(ErrorCode::kInternal, "a ", value.typeName(), " cannot be written as JSON");
    }
  }

  template <class Items, class WriteItem>
  void writeAll(char open, char close, const Items& items, int depth, const WriteItem& writeItem) {
    out_ += open;
    bool first = true;
    for (const auto& item : items) {
      if (!first) out_ += ',';
      first = false;
      newline(depth + 1);
      writeItem(item);
    }
    if (!items.empty()) newline(depth);
    out_ += close;
  }

  int indent_;
  std::string out_;
};

class Parser {
 public:
  Parser(std::string_view text, std::string_view what) : text_(text), what_(what) {}

  Value parseAll() {
    Value value = parse(0);
    skipSpace();
    if (at_ != text_.size()) expected("the end");
    return value;
  }

 private:
  [[noreturn]] void expected(std::string_view thing) {
    fail(ErrorCode::kDataInvalid, what_, ": expected ", thing, " at offset ", at_,
         " of the JSON text, found ",
         at_ < text_.size() ? text("'", text_[at_], "'") : std::string("the end"));
  }

  template <class... Parts>
  static std::string text(const Parts&... parts) {
    return espalier::text(parts...);
  }

  char peek() { return at_ < text_.size() ? text_[at_] : '\0'; }

  void skipSpace() {
    while (at_ < text_.size() && std::string_view(" \t\n\r").find(text_[at_]) != std::string_view::npos)
      ++at_;
  }

  bool accept(char c) {
    skipSpace();
    if (peek() != c || at_ >= text_.size()) return false;
    ++at_;
    return true;
  }

  void require(char c) {
    if (!accept(c)) expected(text("'", c, "'"));
  }

  bool acceptWord(std::string_view word) {
    if (text_.substr(at_, word.size()) != word) return false;
    at_ += word.size();
    return true;
  }

  Value parse(int depth) {
    if (depth > kMaxDepth) expected(text("a nesting of at most ", kMaxDepth));
    skipSpace();
    switch (peek()) {
      case '{':
        return parseMap(depth);
      case '[':
        return parseList(depth);
      case '"':
        return parseString();
      default:
        break;
    }
    if (acceptWord("true")) return true;
    if (acceptWord("false")) return false;
    if (acceptWord("null")) return nullptr;
    return parseNumber();
  }

  Value parseMap(int depth) {
    require('{');
    Value::Map map;
    std::set<std::string> seen;
    if (accept('}')) return map;
    do {
      skipSpace();
      if (peek() != '"') expected("a key in quotes");
      std::string key = parseString();
      if (!seen.insert(key).second) expected(text("no second entry named ", key));
      require(':');
      map.emplace_back(std::move(key), parse(depth + 1));
    } while (accept(','));
    require('}');
    return map;
  }

  Value parseList(int depth) {
    require('[');
    Value::List list;
    if (accept(']')) return list;
    do {
      list.push_back(parse(depth + 1));
    } while (accept(','));
    require(']');
    return list;
  }

  unsigned parseHex() {
    unsigned code = 0;
    const std::string_view digits = text_.substr(at_, 4);
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), code, 16);
    if (error != std::errc() || end != digits.data() + 4) expected("four hexadecimal digits");
    at_ += 4;
    return code;
  }

  static void appendUtf8(std::string& out, unsigned code) {
    if (code < 0x80) {
      out += static_cast<char>(code);
      return;
    }
    if (code < 0x800) {
      out += static_cast<char>(0xC0 | (code >> 6));
    } else {
      if (code < 0x10000) {
        out += static_cast<char>(0xE0 | (code >> 12));
      } else {
        out += static_cast<char>(0xF0 | (code >> 18));
        out += static_cast<char>(0x80 | ((code >> 12) & 0x3F));
      }
      out += static_cast<char>(0x80 | ((code >> 6) & 0x3F));
    }
    out += static_cast<char>(0x80 | (code & 0x3F));
  }

  void parseEscape(std::string& out) {
    const char c = peek();
    ++at_;
    switch (c) {
      case '"':
      case '\\':
      case '/':
        out += c;
        return;
      case 'b':
        out += '\b';
        return;
      case 'f':
        out += '\f';
        return;
      case 'n':
        out += '\n';
        return;
      case 'r':
        out += '\r';
        return;
      case 't':
        out += '\t';
        return;
      case 'u':
        break;
      default:
        --at_;
        expected("an escape");
    }
    unsigned code = parseHex();
    if (code >= 0xD800 && code < 0xDC00) {
      if (!acceptWord("\\u")) expected("the second half of a surrogate pair");
      const unsigned low = parseHex();
      if (low < 0xDC00 || low > 0xDFFF) expected("the second half of a surrogate pair");
      code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
    } else if (code >= 0xDC00 && code <= 0xDFFF) {
      expected("the first half of a surrogate pair");
    }
    appendUtf8(out, code);
  }

  std::string parseString() {
    ++at_;
    std::string out;
    while (true) {
      if (at_ >= text_.size()) expected("the end of a string");
      const char c = text_[at_];
      if (static_cast<unsigned char>(c) < 0x20) expected("no control character in a string");
      ++at_;
      if (c == '"') return out;
      if (c == '\\') {
        parseEscape(out);
      } else {
        out += c;
      }
    }
  }

  Value parseNumber() {
    const size_t start = at_;
    if (peek() == '-') ++at_;
    if (peek() < '0' || peek() > '9') expected("a value");
    if (peek() == '0' && at_ + 1 < text_.size() && text_[at_ + 1] >= '0' && text_[at_ + 1] <= '9') {
      expected("a number without a leading zero");
    }
    at_ = start;
    const std::string_view rest = text_.substr(start);
    size_t length = 0;
    while (length < rest.size() &&
           std::string_view("+-.eE0123456789").find(rest[length]) != std::string_view::npos) {
      ++length;
    }
    const std::string_view digits = rest.substr(0, length);
    if (digits.find_first_of(".eE") == std::string_view::npos) {
      int64_t whole = 0;
      const auto [end, error] = std::from_chars(digits.data(), digits.data() + length, whole);
      if (error == std::errc() && end == digits.data() + length) {
        at_ += length;
        return whole;
      }
    }
    double number = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + length, number);
    if (error != std::errc() || end != digits.data() + length) expected("a number");
    at_ += length;
    return number;
  }

  std::string_view text_;
  std::string_view what_;
  size_t at_ = 0;
};

}  // namespace

std::string toJson(const Value& value, int indent) { return Writer(indent).take(value); }

Value parseJson(std::string_view text, std::string_view what) { return Parser(text, what).parseAll(); }

}  // namespace espalier
