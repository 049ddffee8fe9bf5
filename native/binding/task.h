#pragma once

#include <functional>
#include <memory>

#include "binding/errors.h"
#include "binding/mailbox.h"
#include "core/lanes.h"
#include "core/run.h"

namespace espalier::binding {

// On the environment's thread: the JavaScript value that finished work becomes.
using Convert = std::function<Napi::Value(Napi::Env)>;
// On a lane: the work. It may throw anything, and is freed on the lane.
using Work = std::function<Convert(RunControl&)>;

// What becomes of work: `convert`, or where that is empty `failure`.
struct Outcome {
  Convert convert;
  Failure failure;
};

// Work of one environment on a lane. It knows the environment only by its mailbox.
class AsyncTask : public Task {
 public:
  struct Reader {
    const void* owner;
    std::shared_ptr<Mailbox> mailbox;
    // On the environment's thread; the last is called once.
    std::function<void(Napi::Env, const Value&)> onProgress;
    std::function<void(Napi::Env, const Outcome&)> onEnd;
  };

  AsyncTask(Work work, Reader reader);

  void run() noexcept override;
  void drop() noexcept override;
  void cancel() noexcept override { control_.cancel(); }

 private:
  void finish(Outcome outcome) noexcept;

  Work work_;
  Reader reader_;
  RunControl control_;
};

}  // namespace espalier::binding
