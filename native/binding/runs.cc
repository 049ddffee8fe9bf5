#include <thread>

#include <torch/types.h>
#include <torch/utils.h>
#include <torch/version.h>

#include "binding/addon.h"
#include "binding/convert.h"
#include "core/convert.h"
#include "core/error.h"
#include "core/facts.h"
#include "methods/registry.h"

namespace espalier::binding {

namespace {

// { method, inputs, options, run }, onProgress -> { promise of { outputs, report }, cancel }
Napi::Value startRun(Addon& addon, const Napi::CallbackInfo& info) {
  const Value whole = fromJs(info[0], "");
  RunRequest request;
  request.method = whole.at("method").asString();
  request.inputs = whole.at("inputs");
  request.options = whole.at("options");
  fromValue(request.run, whole.at("run"), "");
  if (!request.run.threads) request.run.threads = defaultThreads();
  return addon.start(
      info.Env(), runLane(),
      [request = std::move(request)](RunControl& control) -> Convert {
        RunResult result = execute(methodRegistry(), request, control);
        std::vector<std::pair<std::string, Finished>> outputs;
        for (const auto& [name, output] : result.outputs.asMap()) {
          outputs.emplace_back(name, output.isNull() ? Finished() : Finished(output.asHandle()));
        }
        return [outputs = std::move(outputs), report = std::move(result.report)](Napi::Env env) {
          Napi::Object handles = Napi::Object::New(env);
          for (const auto& [name, finished] : outputs) {
            handles.Set(name, finished.handle ? Napi::Value(wrap(env, finished)) : env.Null());
          }
          Napi::Object out = Napi::Object::New(env);
          out.Set("outputs", handles);
          out.Set("report", plainToJs(env, report));
          return out;
        };
      },
      info[1].As<Napi::Function>());
}

// -> [{ name, schema }]
Napi::Value methods(Addon&, const Napi::CallbackInfo& info) {
  Value::List list;
  for (const Method& method : methodRegistry()) {
    list.push_back(Value::Map{{"name", method.name}, {"schema", method.schema()}});
  }
  return plainToJs(info.Env(), list);
}

Napi::Value runOptions(Addon&, const Napi::CallbackInfo& info) {
  return plainToJs(info.Env(), espalier::describe(RunOptions{}));
}

// { concurrentRuns }
Napi::Value configure(Addon&, const Napi::CallbackInfo& info) {
  runLane().setThreads(static_cast<int>(fromJs(info[0], "").at("concurrentRuns").asInt()));
  return info.Env().Undefined();
}

// Asks for CUDA devices, which nothing else does that runs on the CPU.
Value describeBuild() {
  Value::List devices = {"cpu"};
  const auto count = static_cast<uint8_t>(torch::cuda::device_count());
  for (int i = 0; i < count; ++i) devices.push_back(text("cuda:", i));
  return Value::Map{{"libtorch", TORCH_VERSION},
                    {"devices", std::move(devices)},
                    {"cores", static_cast<int64_t>(std::thread::hardware_concurrency())},
                    {"concurrentRuns", runLane().threads()},
                    {"threadsPerRun", defaultThreads()}};
}

Napi::Value describe(Addon& addon, const Napi::CallbackInfo& info) {
  return addon.perform(info.Env(), [](RunControl&) -> Convert {
    return [build = describeBuild()](Napi::Env env) { return plainToJs(env, build); };
  });
}

Napi::Value stop(Addon&, const Napi::CallbackInfo& info) {
  closeLanes();
  return info.Env().Undefined();
}

// handle -> promise, once its memory is free or left to the work that uses it
Napi::Value handleDispose(Addon& addon, const Napi::CallbackInfo& info) {
  return addon.perform(info.Env(), [handle = release(info[0])](RunControl&) mutable -> Convert {
    handle.reset();
    return [](Napi::Env env) { return env.Undefined(); };
  });
}

}  // namespace

Exports runExports() {
  return {{"startRun", startRun},          {"methods", methods},   {"runOptions", runOptions},
          {"configure", configure},        {"describe", describe}, {"stop", stop},
          {"handleDispose", handleDispose}};
}

}  // namespace espalier::binding
