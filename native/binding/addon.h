#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "binding/handles.h"
#include "binding/mailbox.h"
#include "binding/napi_setup.h"
#include "binding/task.h"

namespace espalier::binding {

// What one environment (the main thread, or a Worker) holds; the binding has no other state. Everything of
// JavaScript's (promises, callbacks) stays here, on its own thread. When the environment ends, its tasks are
// cancelled and joined first.
class Addon : public Napi::Addon<Addon> {
 public:
  Addon(Napi::Env env, Napi::Object exports);

  // A promise of work on the short lane.
  Napi::Value perform(Napi::Env env, Work work);
  // The same where the result is a handle.
  Napi::Value performHandle(Napi::Env env, std::function<HandlePtr()> work);
  // { promise, cancel }
  Napi::Value start(Napi::Env env, Lane& lane, Work work, const Napi::Function& onProgress = {});

 private:
  struct Pending {
    Napi::Promise::Deferred promise;
    Napi::FunctionReference onProgress;
  };

  // Keeps the event loop alive until the work ends.
  TaskPtr submit(Napi::Env env, Lane& lane, Work work, const Napi::Function& onProgress,
                 Napi::Value& promise);
  void settle(Napi::Env env, uint64_t id, const Outcome& outcome);

  std::shared_ptr<Mailbox> mailbox_;
  std::unordered_map<uint64_t, Pending> pending_;
  uint64_t lastId_ = 0;
};

// A function of the addon; what it throws of ours crosses as an error with a code.
struct Export {
  const char* name;
  Napi::Value (*call)(Addon& addon, const Napi::CallbackInfo& info);
};
using Exports = std::vector<Export>;

Exports runExports();
Exports modelExports();
Exports dataExports();
Exports maskExports();
Exports keyExports();
Exports trailExports();

}  // namespace espalier::binding
