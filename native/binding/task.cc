#include "binding/task.h"

#include "core/convert.h"

namespace espalier::binding {

AsyncTask::AsyncTask(Work work, Reader reader)
    : Task(reader.owner),
      work_(std::move(work)),
      reader_(std::move(reader)),
      control_([this](const Progress& now) {
        if (!reader_.onProgress) return;
        reader_.mailbox->post(
            [show = reader_.onProgress, progress = toValue(now)](Napi::Env env) { show(env, progress); });
      }) {}

void AsyncTask::run() noexcept {
  Outcome outcome;
  try {
    if (control_.cancelled()) throw Cancelled();
    outcome.convert = work_(control_);
  } catch (...) {
    outcome.failure = describeException(std::current_exception());
  }
  finish(std::move(outcome));
}

void AsyncTask::drop() noexcept { finish({{}, describeException(std::make_exception_ptr(Cancelled()))}); }

void AsyncTask::finish(Outcome outcome) noexcept {
  work_ = {};
  try {
    reader_.mailbox->post(
        [end = reader_.onEnd, outcome = std::move(outcome)](Napi::Env env) { end(env, outcome); });
  } catch (const std::bad_alloc&) {
    return;  // without the memory for a letter nobody can be told
  }
}

}  // namespace espalier::binding
