#pragma once

#include <functional>
#include <memory>
#include <mutex>

#include "binding/napi_setup.h"

namespace espalier::binding {

// From any thread to the thread of one environment.
//
// 1. Shared by the environment and everything that works for it, so it outlives both.
// 2. Letters arrive in the order of posting; each frees what it carries on the environment's thread.
// 3. After close() letters are thrown away where they are posted: the environment is gone, nobody waits.
// 4. It keeps the event loop alive only between hold() and letGo(), which count.
class Mailbox {
 public:
  using Letter = std::function<void(Napi::Env)>;

  static std::shared_ptr<Mailbox> open(Napi::Env env);

  void post(Letter letter);
  // On the environment's thread, as the three below.
  void hold(Napi::Env env);
  void letGo(Napi::Env env);
  void close();

 private:
  static void deliver(Napi::Env env, Napi::Function, void*, Letter* letter);
  using Channel = Napi::TypedThreadSafeFunction<void, Letter, deliver>;

  std::mutex mutex_;
  Channel channel_;
  bool closed_ = false;
  int held_ = 0;
};

}  // namespace espalier::binding
