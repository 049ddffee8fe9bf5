#include "binding/addon.h"

#include "binding/convert.h"
#include "core/blocks.h"

namespace espalier::binding {

namespace {

Napi::Value guarded(Addon& addon, const Export& exported, const Napi::CallbackInfo& info) {
  try {
    return exported.call(addon, info);
  } catch (const Napi::Error&) {
    throw;
  } catch (...) {
    throw toJs(info.Env(), describeException(std::current_exception()));
  }
}

}  // namespace

Addon::Addon(Napi::Env env, Napi::Object exports) : mailbox_(Mailbox::open(env)) {
  installBlocks();
  for (const Exports& family :
       {runExports(), modelExports(), dataExports(), maskExports(), keyExports(), trailExports()}) {
    for (const Export& exported : family) {
      const auto call = [this, exported](const Napi::CallbackInfo& info) {
        return guarded(*this, exported, info);
      };
      exports.Set(exported.name, Napi::Function::New(env, call, exported.name));
    }
  }
  // Runs before the environment's own clean-up of the mailbox's channel: hooks run in reverse order.
  env.AddCleanupHook(
      [](Addon* addon) {
        addon->mailbox_->close();
        runLane().stop(addon);
        shortLane().stop(addon);
      },
      this);
}

Napi::Value Addon::perform(Napi::Env env, Work work) {
  Napi::Value promise;
  submit(env, shortLane(), std::move(work), {}, promise);
  return promise;
}

Napi::Value Addon::performHandle(Napi::Env env, std::function<HandlePtr()> work) {
  return perform(env, [work = std::move(work)](RunControl&) -> Convert {
    return [finished = Finished(work())](Napi::Env env) { return wrap(env, finished); };
  });
}

Napi::Value Addon::start(Napi::Env env, Lane& lane, Work work, const Napi::Function& onProgress) {
  Napi::Value promise;
  const std::weak_ptr<Task> task = submit(env, lane, std::move(work), onProgress, promise);
  Napi::Object out = Napi::Object::New(env);
  out.Set("promise", promise);
  out.Set("cancel", Napi::Function::New(env, [&lane, task](const Napi::CallbackInfo&) {
            if (const TaskPtr alive = task.lock()) lane.cancel(alive);
          }));
  return out;
}

TaskPtr Addon::submit(Napi::Env env, Lane& lane, Work work, const Napi::Function& onProgress,
                      Napi::Value& promise) {
  const uint64_t id = ++lastId_;
  Pending& pending = pending_.emplace(id, Pending{Napi::Promise::Deferred::New(env), {}}).first->second;
  promise = pending.promise.Promise();
  AsyncTask::Reader reader{this, mailbox_, {}, {}};
  // Letters are delivered only while the environment is there, and with it `this`.
  reader.onEnd = [this, id](Napi::Env env, const Outcome& outcome) { settle(env, id, outcome); };
  if (!onProgress.IsEmpty()) {
    pending.onProgress = Napi::Persistent(onProgress);
    reader.onProgress = [this, id](Napi::Env env, const Value& progress) {
      pending_.at(id).onProgress.Call({plainToJs(env, progress)});
    };
  }
  mailbox_->hold(env);
  auto task = std::make_shared<AsyncTask>(std::move(work), std::move(reader));
  lane.submit(task);
  return task;
}

void Addon::settle(Napi::Env env, uint64_t id, const Outcome& outcome) {
  const Napi::Promise::Deferred promise = pending_.at(id).promise;
  pending_.erase(id);
  mailbox_->letGo(env);
  Napi::Value result;
  try {
    if (!outcome.convert) throw toJs(env, outcome.failure);
    result = outcome.convert(env);
  } catch (const Napi::Error& error) {
    promise.Reject(error.Value());
    return;
  } catch (...) {
    promise.Reject(toJs(env, describeException(std::current_exception())).Value());
    return;
  }
  promise.Resolve(result);
}

NODE_API_ADDON(Addon)

}  // namespace espalier::binding
