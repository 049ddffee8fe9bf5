#include "core/archive/pickle.h"

#include <cstring>

#include "core/archive/nesting.h"
#include "core/archive/pickle_tensor.h"
#include "core/error.h"

namespace espalier {
namespace {

using Kind = PickleNode::Kind;

constexpr size_t kDeepest = 1000;
// How often a shared part may be unfolded, besides once a byte.
constexpr uint64_t kMostUnfolded = 100'000'000;

// The opcodes that libtorch's unpickler executes (Python's Lib/pickle.py names).
enum Opcode : uint8_t {
  kMark = '(',
  kStop = '.',
  kBinint = 'J',
  kBinint1 = 'K',
  kBinint2 = 'M',
  kNone = 'N',
  kBinpersid = 'Q',
  kReduce = 'R',
  kBinunicode = 'X',
  kBuild = 'b',
  kGlobalOp = 'c',
  kDictOp = 'd',
  kEmptyDict = '}',
  kAppends = 'e',
  kBinget = 'h',
  kLongBinget = 'j',
  kListOp = 'l',
  kEmptyList = ']',
  kBinput = 'q',
  kLongBinput = 'r',
  kSetitem = 's',
  kTupleOp = 't',
  kEmptyTuple = ')',
  kSetitems = 'u',
  kBinfloat = 'G',
  kProto = 0x80,
  kNewobj = 0x81,
  kTuple1 = 0x85,
  kTuple2 = 0x86,
  kTuple3 = 0x87,
  kNewtrue = 0x88,
  kNewfalse = 0x89,
  kLong1 = 0x8A,
};

class Scanner {
 public:
  Scanner(std::string_view bytes, const PickleLimits& limits) : bytes_(bytes), limits_(limits) {}

  Pickle run() {
    if (take(1)[0] != static_cast<char>(kProto) || number<uint8_t>() != 2)
      refuse("expected pickle protocol 2");
    while (true) {
      const auto opcode = number<uint8_t>();
      if (opcode == kStop) break;
      step(opcode);
    }
    if (stack_.size() != 1 || !marks_.empty()) refuse("ends with ", stack_.size(), " values, expected one");
    pickle_.root = stack_.back();
    checkNesting();
    return std::move(pickle_);
  }

 private:
  template <class... Parts>
  [[noreturn]] void refuse(const Parts&... parts) const {
    fail(ErrorCode::kModelLoad, limits_.where, ": the pickle ", parts..., " (byte ", at_, ")");
  }

  std::string_view take(size_t count) {
    if (count > bytes_.size() - at_) refuse("is truncated");
    const std::string_view taken = bytes_.substr(at_, count);
    at_ += count;
    return taken;
  }

  template <class T>
  T number() {
    T value;
    std::memcpy(&value, take(sizeof(T)).data(), sizeof(T));
    return value;
  }

  std::string_view line() {
    const size_t end = bytes_.find('\n', at_);
    if (end == bytes_.npos) refuse("has a name without an end");
    const std::string_view text = take(end - at_);
    take(1);
    return text;
  }

  void push(Kind kind, int64_t value = 0) {
    stack_.push_back(static_cast<uint32_t>(pickle_.nodes.size()));
    pickle_.nodes.push_back({kind, value});
  }

  void pushText(Kind kind, std::string_view text) {
    push(kind, static_cast<int64_t>(pickle_.texts.size()));
    pickle_.texts.push_back(text);
  }

  void pushList(Kind kind, std::vector<uint32_t> children) {
    push(kind, static_cast<int64_t>(pickle_.lists.size()));
    pickle_.lists.push_back(std::move(children));
  }

  // A value may be taken only from above the last mark: what libtorch does otherwise is its own affair.
  uint32_t pop() {
    if (stack_.size() <= (marks_.empty() ? 0 : marks_.back())) refuse("takes a value from an empty stack");
    const uint32_t value = stack_.back();
    stack_.pop_back();
    return value;
  }

  std::vector<uint32_t> popToMark() {
    if (marks_.empty()) refuse("has no mark where one is needed");
    const auto start = stack_.begin() + static_cast<std::ptrdiff_t>(marks_.back());
    std::vector<uint32_t> values(start, stack_.end());
    stack_.erase(start, stack_.end());
    marks_.pop_back();
    return values;
  }

  std::vector<uint32_t> popMany(size_t count) {
    std::vector<uint32_t> values(count);
    while (count-- > 0) values[count] = pop();
    return values;
  }

  void extendTop(Kind kind, const std::vector<uint32_t>& values) {
    const uint32_t top = pop();
    stack_.push_back(top);
    const PickleNode& node = pickle_.nodes[top];
    if (node.kind != kind) refuse("adds to a value that is no ", kind == Kind::kList ? "list" : "dictionary");
    if (kind == Kind::kDict && values.size() % 2 != 0) refuse("gives a dictionary a key without a value");
    auto& children = pickle_.lists[static_cast<size_t>(node.value)];
    children.insert(children.end(), values.begin(), values.end());
  }

  void put(size_t index) {
    // The unpickler allocates up to the index.
    if (index > bytes_.size()) refuse("stores at memo index ", index, ", more than it has bytes");
    if (index >= memo_.size()) memo_.resize(index + 1, kUnset);
    memo_[index] = pop();
    stack_.push_back(memo_[index]);
  }

  void get(size_t index) {
    if (index >= memo_.size() || memo_[index] == kUnset)
      refuse("reads memo index ", index, ", which is unset");
    stack_.push_back(memo_[index]);
  }

  void step(uint8_t opcode);
  void global();
  void reduce();
  void checkTypeText(uint32_t node) const;
  void checkNesting() const;

  static constexpr uint32_t kUnset = 0xFFFFFFFF;

  std::string_view bytes_;
  const PickleLimits& limits_;
  size_t at_ = 0;
  Pickle pickle_;
  std::vector<uint32_t> stack_;
  std::vector<size_t> marks_;
  std::vector<uint32_t> memo_;
};

void Scanner::step(uint8_t opcode) {
  switch (opcode) {
    case kMark:
      return marks_.push_back(stack_.size());
    case kNone:
    case kNewtrue:
    case kNewfalse:
      return push(Kind::kAtom);
    case kBinint:
      return push(Kind::kInt, number<int32_t>());
    case kBinint1:
      return push(Kind::kInt, number<uint8_t>());
    case kBinint2:
      return push(Kind::kInt, number<uint16_t>());
    case kLong1:
      if (number<uint8_t>() != 8) refuse("holds an integer that has not 8 bytes");
      return push(Kind::kInt, number<int64_t>());
    case kBinfloat:
      take(8);
      return push(Kind::kAtom);
    case kBinunicode:
      return pushText(Kind::kString, take(number<uint32_t>()));
    case kEmptyTuple:
      return pushList(Kind::kTuple, {});
    case kEmptyList:
      return pushList(Kind::kList, {});
    case kEmptyDict:
      return pushList(Kind::kDict, {});
    case kTuple1:
      return pushList(Kind::kTuple, popMany(1));
    case kTuple2:
      return pushList(Kind::kTuple, popMany(2));
    case kTuple3:
      return pushList(Kind::kTuple, popMany(3));
    case kTupleOp:
      return pushList(Kind::kTuple, popToMark());
    case kListOp:
      return pushList(Kind::kList, popToMark());
    case kDictOp: {
      pushList(Kind::kDict, {});
      const uint32_t dict = pop();
      const std::vector<uint32_t> values = popToMark();
      stack_.push_back(dict);
      return extendTop(Kind::kDict, values);
    }
    case kAppends:
      return extendTop(Kind::kList, popToMark());
    case kSetitems:
      return extendTop(Kind::kDict, popToMark());
    case kSetitem:
      return extendTop(Kind::kDict, popMany(2));
    case kBinput:
      return put(number<uint8_t>());
    case kLongBinput:
      return put(number<uint32_t>());
    case kBinget:
      return get(number<uint8_t>());
    case kLongBinget:
      return get(number<uint32_t>());
    case kGlobalOp:
      return global();
    case kNewobj: {
      const PickleNode arguments = pickle_.nodes[pop()];
      if (arguments.kind != Kind::kTuple || !pickle_.children(arguments).empty()) {
        refuse("constructs an object with arguments");
      }
      return;
    }
    case kReduce:
    case kBuild:
      return reduce();
    case kBinpersid: {
      const std::vector<uint32_t> storage = storageOf(pickle_, pop(), limits_);
      return pushList(Kind::kStorage, storage);
    }
    default:
      refuse("has the opcode ", static_cast<int>(opcode), ", which TorchScript does not write");
  }
}

void Scanner::global() {
  const size_t start = at_;
  const std::string_view module = line();
  const std::string_view name = line();
  pushText(Kind::kGlobal, bytes_.substr(start, at_ - start - 1));
  if (module.substr(0, 9) == "__torch__") {
    pickle_.classes.push_back(stack_.back());
    return;
  }
  const bool known =
      module == "torch" || (module == "collections" && name == "OrderedDict") ||
      (module == "builtins" && name == "complex") || module == "torch.jit._pickle" ||
      (module == "torch._utils" && (name == "_rebuild_tensor_v2" || name == "_rebuild_qtensor"));
  if (!known) {
    refuse("asks for '", module, ".", name, "', which TorchScript does not use",
           name == "_rebuild_sparse_tensor"
               ? " safely: the indices of a stored sparse tensor cannot be checked; "
                 "store it dense"
               : "");
  }
}

void Scanner::reduce() {
  const uint32_t argument = pop();
  const uint32_t callable = pop();
  if (pickle_.nodes[callable].kind != Kind::kGlobal) refuse("calls a value that is no class or function");
  const std::string name = pickle_.className(callable);
  const auto first = [&]() -> uint32_t {
    const PickleNode& tuple = pickle_.nodes[argument];
    if (tuple.kind != Kind::kTuple || pickle_.children(tuple).empty())
      refuse("calls '", name, "' without arguments");
    return pickle_.children(tuple)[0];
  };
  if (name == "torch._utils._rebuild_tensor_v2" || name == "torch._utils._rebuild_qtensor") {
    checkTensor(pickle_, argument, limits_);
    return push(Kind::kTensor);
  }
  if (name.compare(0, 9, "__torch__") == 0) return pushList(Kind::kObject, {callable, argument});
  if (name == "collections.OrderedDict" || name == "builtins.complex" || name == "torch.device") {
    return push(Kind::kAtom);
  }
  if (name.compare(0, 18, "torch.jit._pickle.") != 0) refuse("calls '", name, "'");
  const uint32_t list = first();
  const Kind kind = pickle_.nodes[list].kind;
  if (kind != Kind::kList && kind != Kind::kDict)
    refuse("gives '", name, "' a value that is no list or dictionary");
  if (name == "torch.jit._pickle.restore_type_tag") checkTypeText(argument);
  stack_.push_back(list);
}

// The tag is parsed by a recursive parser.
void Scanner::checkTypeText(uint32_t node) const {
  const auto& arguments = pickle_.children(pickle_.nodes[node]);
  if (arguments.size() != 2 || pickle_.nodes[arguments[1]].kind != Kind::kString)
    refuse("has a type tag without text");
  const std::string_view text = pickle_.texts[static_cast<size_t>(pickle_.nodes[arguments[1]].value)];
  if (expressionDepth(text) > kDeepestExpression) refuse("has a type tag of too many levels");
}

// Depth and unfolded size of every container, without recursion of our own.
void Scanner::checkNesting() const {
  const auto isContainer = [&](uint32_t node) {
    const Kind kind = pickle_.nodes[node].kind;
    return kind == Kind::kTuple || kind == Kind::kList || kind == Kind::kDict || kind == Kind::kObject;
  };
  struct Facts {
    uint32_t depth = 0;  // 0: not visited
    bool open = false;
    uint64_t unfolded = 1;
  };
  struct Frame {
    uint32_t node;
    size_t next;
  };
  const uint64_t mostUnfolded = kMostUnfolded + bytes_.size();
  std::vector<Facts> facts(pickle_.nodes.size());
  std::vector<Frame> frames;
  for (uint32_t start = 0; start < pickle_.nodes.size(); ++start) {
    if (!isContainer(start) || facts[start].depth != 0) continue;
    frames.push_back({start, 0});
    facts[start].open = true;
    while (!frames.empty()) {
      Frame& frame = frames.back();
      Facts& own = facts[frame.node];
      const auto& children = pickle_.children(pickle_.nodes[frame.node]);
      if (frame.next == children.size()) {
        own.open = false;
        ++own.depth;
        frames.pop_back();
        if (own.depth > kDeepest) refuse("nests values more than ", kDeepest, " levels deep");
        continue;
      }
      const uint32_t child = children[frame.next];
      const Facts& below = facts[child];
      if (isContainer(child) && below.open) refuse("holds a value that contains itself");
      if (isContainer(child) && below.depth == 0) {
        if (frames.size() > kDeepest) refuse("nests values more than ", kDeepest, " levels deep");
        facts[child].open = true;
        frames.push_back({child, 0});
        continue;
      }
      own.depth = std::max(own.depth, below.depth);
      own.unfolded += below.unfolded;
      if (own.unfolded > mostUnfolded) refuse("repeats shared values ", own.unfolded, " times");
      ++frame.next;
    }
  }
}

}  // namespace

std::string Pickle::className(uint32_t global) const {
  std::string name(texts[static_cast<size_t>(nodes[global].value)]);
  name[name.find('\n')] = '.';
  return name;
}

Pickle scanPickle(std::string_view bytes, const PickleLimits& limits) { return Scanner(bytes, limits).run(); }

}  // namespace espalier
