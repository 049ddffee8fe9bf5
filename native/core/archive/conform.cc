#include "core/archive/conform.h"

#include <algorithm>

#include "core/error.h"

namespace espalier {
namespace {

using Kind = PickleNode::Kind;

bool holdsClass(const c10::TypePtr& type) {
  if (type->cast<c10::ClassType>() || type->cast<c10::InterfaceType>()) return true;
  const auto contained = type->containedTypes();
  return std::any_of(contained.begin(), contained.end(), holdsClass);
}

class Checker {
 public:
  Checker(const Pickle& pickle, const std::function<c10::ClassTypePtr(const std::string&)>& classOf)
      : pickle_(pickle), classOf_(classOf) {}

  // The attribute that is not what `type` declares; empty when all are.
  std::string wrongAttribute(const PickleNode& object, const c10::ClassTypePtr& type) const {
    const uint32_t state = pickle_.children(object)[1];
    if (const auto* method = type->findMethod("__setstate__")) {
      return conforms(state, method->getSchema().arguments().at(1).type()) ? "" : "__setstate__";
    }
    if (pickle_.nodes[state].kind != Kind::kDict) return "(its state)";
    const auto& entries = pickle_.children(pickle_.nodes[state]);
    for (size_t i = 0; i + 1 < entries.size(); i += 2) {
      if (pickle_.nodes[entries[i]].kind != Kind::kString) return "(a name)";
      const std::string name(pickle_.texts[static_cast<size_t>(pickle_.nodes[entries[i]].value)]);
      const auto slot = type->findAttributeSlot(name);
      if (slot && !conforms(entries[i + 1], type->getAttribute(*slot))) return name;
    }
    return "";
  }

 private:
  bool conforms(uint32_t index, const c10::TypePtr& type) const {
    const PickleNode& node = pickle_.nodes[index];
    // Values other than objects carry their type, and libtorch looks at it.
    if (!holdsClass(type) || node.kind == Kind::kAtom) return true;
    if (const auto optional = type->cast<c10::OptionalType>())
      return conforms(index, optional->getElementType());
    if (type->cast<c10::ClassType>() || type->cast<c10::InterfaceType>()) {
      if (node.kind != Kind::kObject) return false;
      const std::string name = pickle_.className(pickle_.children(node)[0]);
      const c10::ClassTypePtr actual = classOf_(name);
      if (actual == nullptr) return type->cast<c10::ClassType>() && type->annotation_str() == name;
      return actual->isSubtypeOf(*type);
    }
    if (node.kind != Kind::kTuple && node.kind != Kind::kList && node.kind != Kind::kDict) return false;
    const auto contained = type->containedTypes();
    const auto& children = pickle_.children(node);
    // A tuple has a type an element, a list one, a dictionary two that alternate.
    if (type->cast<c10::TupleType>() && children.size() != contained.size()) return false;
    for (size_t i = 0; i < children.size(); ++i) {
      if (!conforms(children[i], contained[i % contained.size()])) return false;
    }
    return true;
  }

  const Pickle& pickle_;
  const std::function<c10::ClassTypePtr(const std::string&)>& classOf_;
};

}  // namespace

void checkObjects(const PickleRecord& record,
                  const std::function<c10::ClassTypePtr(const std::string&)>& classOf) {
  const Checker checker(record.pickle, classOf);
  for (const PickleNode& node : record.pickle.nodes) {
    if (node.kind != Kind::kObject) continue;
    const std::string name = record.pickle.className(record.pickle.children(node)[0]);
    const c10::ClassTypePtr type = classOf(name);
    if (type == nullptr) continue;
    const std::string wrong = checker.wrongAttribute(node, type);
    if (wrong.empty()) continue;
    fail(ErrorCode::kModelLoad, record.where, ": attribute '", wrong, "' of an object of class '", name,
         "' is not what its class declares");
  }
}

}  // namespace espalier
