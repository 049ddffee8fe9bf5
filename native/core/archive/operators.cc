#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <unordered_map>
#include <unordered_set>

#include <torch/csrc/jit/api/function_impl.h>
#include <torch/csrc/jit/ir/ir.h>
#include <torch/csrc/jit/serialization/import_source.h>
#include <torch/csrc/jit/serialization/unpickler.h>

#include "core/archive/archive.h"
#include "core/archive/calls.h"
#include "core/archive/conform.h"
#include "core/archive/denied.h"
#include "core/archive/inspect.h"
#include "core/error.h"

namespace espalier {
namespace {

using torch::jit::CompilationUnit;
using torch::jit::Source;

constexpr std::string_view kRemedy = "; if you trust whoever made it, load the model with `trust: true`";

// Compiles the archive's classes as loading would, and runs nothing: no object of the data is made, and
// __setstate__ of the constants' objects is not called.
class Compiler {
 public:
  Compiler(const TorchArchive& archive, const ArchiveFacts& facts)
      : archive_(archive),
        importer_(
            unit_, &constants_, [this](const std::string& name) { return source(name); }, archive.version()) {
    readConstants(facts.pickles.front().content);
    for (const std::string& name : facts.classes) {
      // These are C++ classes that their library registers, not code.
      if (name.find("__torch__.torch.classes.") != 0) types_[name] = importer_.loadType(name);
    }
  }

  // Null for a class that is not written in TorchScript.
  c10::ClassTypePtr classOf(const std::string& name) const {
    const auto found = types_.find(name);
    return found == types_.end() ? nullptr : found->second->cast<c10::ClassType>();
  }

  std::vector<torch::jit::Function*> functions() const { return unit_->get_functions(); }

 private:
  std::shared_ptr<Source> source(const std::string& qualifier) const {
    std::string record = "code/" + qualifier + ".py";
    std::replace(record.begin(), record.begin() + static_cast<std::ptrdiff_t>(record.size() - 3), '.', '/');
    if (archive_.find(record) == nullptr) return nullptr;
    return std::make_shared<Source>(archive_.read(record), record, 1);
  }

  // The code refers to constants by position, so they must exist; their bytes are never read.
  void readConstants(const std::string& content) {
    size_t at = 0;
    const auto read = [&](char* into, size_t size) {
      size = std::min(size, content.size() - at);
      std::memcpy(into, content.data() + at, size);
      at += size;
      return size;
    };
    const auto resolve = [&](const c10::QualifiedName& name) {
      return c10::StrongTypePtr(unit_, importer_.loadType(name));
    };
    const auto object = [](const c10::StrongTypePtr& type, const c10::IValue&) {
      return c10::ivalue::Object::create(type, type.type_->expectRef<c10::ClassType>().numAttributes());
    };
    const auto storage = [&](const std::string& key) {
      const ZipRecord* record = archive_.find("constants/" + key);
      void* zeros = std::calloc(record == nullptr ? 1 : record->size, 1);
      if (zeros == nullptr) throw std::bad_alloc();
      return at::DataPtr(zeros, zeros, std::free, c10::kCPU);
    };
    torch::jit::Unpickler unpickler(read, resolve, object, storage, c10::Device(c10::kCPU));
    unpickler.set_version(archive_.version());
    const c10::IValue table = unpickler.parse_ivalue();
    for (const c10::IValue& value : table.toTupleRef().elements()) constants_.push_back(value);
  }

  const TorchArchive& archive_;
  std::shared_ptr<CompilationUnit> unit_ = std::make_shared<CompilationUnit>();
  std::vector<c10::IValue> constants_;
  torch::jit::SourceImporter importer_;
  std::unordered_map<std::string, c10::TypePtr> types_;
};

// "record 'code/__torch__.py', line 7: y = torch.save(x, ...)"
std::string placeOf(const torch::jit::SourceRange& range) {
  const auto& source = range.source();
  const std::optional<std::string> file = source ? source->filename() : std::nullopt;
  if (!file) return "a built-in function";
  const size_t line = source->lineno_for_offset(range.start());
  std::string text = source->get_line(line).str();
  text.erase(0, std::min(text.find_first_not_of(' '), text.size()));
  while (!text.empty() && text.back() == '\n') text.pop_back();
  if (text.size() > 120) text = text.substr(0, 117) + "...";
  return espalier::text("record '", *file, "', line ", line + 1, ": ", text);
}

class Scanner {
 public:
  explicit Scanner(const std::string& path) : path_(path) {}

  // `place` is asked for only when there is something to say about it.
  template <class Place>
  void check(std::string_view name, const Place& place) const {
    const OperatorRule rule = ruleOf(name);
    if (rule.verdict == OperatorVerdict::kUnsafe) refuse(name, rule.why, place());
    if (rule.verdict == OperatorVerdict::kUnknown) {
      fail(ErrorCode::kModelUnsupported, "'", path_, "' uses the operator '", name,
           "', which libtorch does not have (", place(), "); export the model without custom operators");
    }
  }

  // What would not end before the model is loaded, or not fit into memory.
  void scanCalls(torch::jit::Function& function) {
    if (calls_.writtenOut(function) >= Calls::kMost) {
      fail(ErrorCode::kModelUnsafe, "'", path_, "': the calls of '", function.qualname().qualifiedName(),
           "' come to ", Calls::kMost, " operations and more when each is written out", kRemedy);
    }
    // Loading runs this one.
    const torch::jit::Node* endless =
        function.name() == "__setstate__" ? calls_.mayNotEnd(function) : nullptr;
    if (endless == nullptr) return;
    const char* what = endless->kind() == c10::prim::Loop ? "a loop" : "a call over an interface";
    refuseUse(placeOf(endless->sourceRange()), what, " while it is loaded, which may never end");
  }

  void scan(torch::jit::Block* block) {
    for (torch::jit::Node* node : block->nodes()) {
      const auto kind = node->kind();
      if (kind != c10::prim::unchecked_cast) {
        if (allowed_.count(kind) == 0)
          check(kind.toQualString(), [&] { return placeOf(node->sourceRange()); });
        allowed_.insert(kind);
      } else if (!isRefinement(node->input()->type(), node->output()->type())) {
        refuse("prim::unchecked_cast", "treats one class as another and so reaches raw memory",
               placeOf(node->sourceRange()));
      }
      for (torch::jit::Block* inner : node->blocks()) scan(inner);
      if (node->hasAttribute(c10::attr::Subgraph)) scan(node->g(c10::attr::Subgraph)->block());
    }
  }

 private:
  template <class... Parts>
  [[noreturn]] void refuseUse(const std::string& place, const Parts&... parts) const {
    fail(ErrorCode::kModelUnsafe, "'", path_, "' uses ", parts..., " (", place, ")", kRemedy);
  }
  [[noreturn]] void refuse(std::string_view name, std::string_view why, const std::string& place) const {
    refuseUse(place, "the operator '", name, "', which ", why);
  }

  static bool holdsClass(const c10::TypePtr& type) {
    if (type->cast<c10::ClassType>() || type->cast<c10::InterfaceType>()) return true;
    const auto contained = type->containedTypes();
    return std::any_of(contained.begin(), contained.end(), holdsClass);
  }

  // Values carry their own type, objects do not check it: a cast may take None away from a class, no more.
  static bool isRefinement(const c10::TypePtr& from, const c10::TypePtr& to) {
    if (!holdsClass(to)) return true;
    const auto optional = from->cast<c10::OptionalType>();
    return *to == *from || (optional && *optional->getElementType() == *to);
  }

  const std::string& path_;
  Calls calls_;
  std::unordered_set<c10::Symbol> allowed_;  // the kinds seen so far
};

// libtorch's reports start with what is wrong and show the line below.
[[noreturn]] void refuseCode(const std::string& path, std::string report) {
  report.erase(0, std::min(report.find_first_not_of('\n'), report.size()));
  fail(ErrorCode::kModelLoad, "'", path, "': its code cannot be compiled: ", report);
}

}  // namespace

void scanOperators(const std::string& path) {
  const TorchArchive archive(path);
  const ArchiveFacts facts = inspectArchive(archive);
  Scanner scanner(path);
  // Before compiling: libtorch does not say which namespace it does not know.
  for (const OperatorUse& use : facts.outline.operators()) {
    scanner.check(use.name, [&] { return text("record '", use.file, "', line ", use.line); });
  }
  try {
    const Compiler compiler(archive, facts);
    for (const PickleRecord& record : facts.pickles) {
      checkObjects(record, [&](const std::string& name) { return compiler.classOf(name); });
    }
    for (torch::jit::Function* function : compiler.functions()) {
      auto* graph = torch::jit::tryToGraphFunction(*function);
      if (graph == nullptr) continue;
      graph->ensure_defined();
      scanner.scan(graph->graph()->block());
    }
    for (torch::jit::Function* function : compiler.functions()) scanner.scanCalls(*function);
  } catch (const Error&) {
    throw;
  } catch (const std::bad_alloc&) {
    throw;
  } catch (const c10::Error& error) {
    refuseCode(path, error.what_without_backtrace());
  } catch (const std::exception& error) {
    refuseCode(path, error.what());
  }
}

}  // namespace espalier
