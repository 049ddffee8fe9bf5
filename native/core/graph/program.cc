#include "core/graph/program.h"

#include <ATen/core/grad_mode.h>

#include "core/graph/prepare.h"

namespace espalier::ir {

c10::IValue Program::run(torch::jit::Stack stack) const {
  const c10::AutoGradMode restore(c10::GradMode::is_enabled());
  torch::jit::InterpreterState(code_).run(stack);
  return std::move(stack.back());
}

Hooks::Hooks(const torch::jit::Module& module, Mode mode) {
  for (torch::jit::Function* hook : module.type()->getForwardPreHooks()) {
    before_.emplace_back(prepared(module, *hook, mode), hook->name());
  }
  for (torch::jit::Function* hook : module.type()->getForwardHooks()) {
    after_.emplace_back(prepared(module, *hook, mode), hook->name());
  }
}

void Hooks::before(const torch::jit::Module& module, std::vector<c10::IValue>& inputs) const {
  for (const Program& hook : before_) {
    const c10::IValue result = hook.run({module._ivalue(), c10::ivalue::Tuple::create(inputs)});
    if (result.isTuple()) {
      inputs = result.toTupleRef().elements().vec();
    } else if (!result.isNone()) {
      inputs = {result};
    }
  }
}

c10::IValue Hooks::after(const torch::jit::Module& module, const std::vector<c10::IValue>& inputs,
                         c10::IValue output) const {
  for (const Program& hook : after_) {
    c10::IValue result = hook.run({module._ivalue(), c10::ivalue::Tuple::create(inputs), output});
    if (!result.isNone()) output = std::move(result);
  }
  return output;
}

}  // namespace espalier::ir
