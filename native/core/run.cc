#include "core/run.h"

#include <algorithm>
#include <cmath>
#include <ctime>
#include <fstream>
#include <thread>

#include <ATen/Parallel.h>
#include <torch/cuda.h>
#include <torch/types.h>
#include <torch/utils.h>
#include <torch/version.h>

#include "core/blocks.h"
#include "core/checkpoint/newest.h"
#include "core/file.h"
#include "core/graph/failure.h"
#include "core/job.h"
#include "core/version.h"
#include "kernels/ops.h"

namespace espalier {

namespace {

std::string processorName() {
  std::ifstream info("/proc/cpuinfo");
  for (std::string line; std::getline(info, line);) {
    const size_t colon = line.find(": ");
    if (line.rfind("model name", 0) == 0 && colon != std::string::npos) return line.substr(colon + 2);
  }
  return "unknown";
}

std::string timestamp() {
  const std::time_t now = std::time(nullptr);
  std::tm utc{};
  gmtime_r(&now, &utc);
  char buffer[32];
  std::strftime(buffer, sizeof buffer, "%Y-%m-%dT%H:%M:%SZ", &utc);
  return buffer;
}

// What two runs must share to be the same run. Another version may keep another state, or none of it.
Value identityOf(const RunRequest& request, const Value& options, const Value& inputs) {
  return Value::Map{{"version", kVersion},
                    {"method", request.method},
                    {"inputs", inputs},
                    {"options", options},
                    {"seed", request.run.seed}};
}

// What changes the bytes of a result, not what it is.
Value circumstances(const RunRequest& request) {
  return Value::Map{{"device", request.run.device},
                    {"threads", static_cast<int64_t>(at::get_num_threads())},
                    {"libtorch", TORCH_VERSION}};
}

bool holdsTrusted(const Value& inputs) {
  if (inputs.isList()) return std::any_of(inputs.asList().begin(), inputs.asList().end(), holdsTrusted);
  if (inputs.isMap()) {
    return std::any_of(inputs.asMap().begin(), inputs.asMap().end(),
                       [](const Value::Entry& entry) { return holdsTrusted(entry.second); });
  }
  const auto model = inputs.isHandle() ? std::dynamic_pointer_cast<Model>(inputs.asHandle()) : nullptr;
  return model && model->trusted();
}

std::unique_ptr<CheckpointNode> resumeFrom(RunContext& context, const std::string& asked) {
  NewestCheckpoint newest = readNewestCheckpoint(asked, holdsTrusted(context.request.inputs));
  const std::string& path = newest.path;
  if (!newest.fault.empty()) context.warnings.push_back(text("resumed from ", path, ": ", newest.fault));
  const Value& found = newest.checkpoint.identity;
  const Value& expected = context.identity;
  if (!found.isMap())
    fail(ErrorCode::kCheckpointInvalid, path, " is damaged: it does not say which run it is of");
  for (const char* part : {"version", "method", "inputs", "options", "seed"}) {
    const Value* saved = found.find(part);
    // As text: what was written as 4.0 reads back as 4.
    if (saved != nullptr && toJson(*saved) == toJson(expected.at(part))) continue;
    fail(ErrorCode::kCheckpointMismatch, path, " belongs to another run: expected ", part, " ",
         toJson(expected.at(part)), ", found ", saved != nullptr ? toJson(*saved) : std::string("none"),
         "; resume with what it was started with, or start without resume");
  }
  if (const Value* then = found.find("circumstances");
      then != nullptr && toJson(*then) != toJson(expected.at("circumstances"))) {
    context.warnings.push_back(text("resumed under ", toJson(expected.at("circumstances")), ", begun under ",
                                    toJson(*then),
                                    ": the result's bytes will differ from an uninterrupted run's"));
  }
  return std::move(newest.checkpoint.root);
}

}  // namespace

c10::Device parseDevice(const std::string& name) {
  if (name == "cpu") return c10::kCPU;
  const bool indexed = name.rfind("cuda:", 0) == 0 && name.size() > 5 &&
                       name.find_first_not_of("0123456789", 5) == std::string::npos && name.size() < 9;
  if (name != "cuda" && !indexed) {
    fail(ErrorCode::kInvalidArgType, "expected 'cpu', 'cuda' or 'cuda:<index>' for device, received '", name,
         "'");
  }
  const int index = indexed ? std::stoi(name.substr(5)) : 0;
  if (!torch::cuda::is_available()) {
    fail(ErrorCode::kDeviceUnavailable, "expected a CUDA device for device '", name,
         "', found none: this libtorch has no CUDA, or no GPU is visible; `npx espalier doctor` tells which");
  }
  if (index >= static_cast<int>(torch::cuda::device_count())) {
    fail(ErrorCode::kDeviceUnavailable, "expected a device index below ", torch::cuda::device_count(),
         ", received '", name, "'");
  }
  if (!kernels::hasCuda()) {
    fail(ErrorCode::kDeviceUnavailable, "expected the CUDA kernels for device '", name,
         "', found that they were not built: run `npm run build -- --cuda`");
  }
  return {c10::kCUDA, static_cast<c10::DeviceIndex>(index)};
}

// In the manifest of a model that a run returns stands what made it: the runs, not the runs inside them,
// whose options are among theirs. How long they took is said of protected models alone, whose public file
// does not hold it: other files are the same bytes each time.
static void enterHistory(const Value& outputs, const Value& entry, std::optional<double> seconds) {
  for (const Value::Entry& output : outputs.asMap()) {
    if (!output.second.isHandle()) continue;
    const auto model = std::dynamic_pointer_cast<Model>(output.second.asHandle());
    if (!model) continue;
    Value own = entry;
    if (seconds && model->manifest().find("protected") != nullptr) own.set("seconds", seconds.value());
    const Value* earlier = model->manifest().find("methods");
    Value methods = earlier != nullptr ? *earlier : Value(Value::List{});
    methods.push(std::move(own));
    model->mutableManifest().set("methods", std::move(methods));
  }
}

RunResult execute(const MethodTable& methods, const RunRequest& request, RunControl& control) {
  const BlockScope blocks;
  const std::string startedAt = timestamp();
  const int64_t cores = std::max(1U, std::thread::hardware_concurrency());
  at::set_num_threads(static_cast<int>(request.run.threads.value_or(cores)));
  const Method& method = findMethod(methods, request.method);
  const Value options = method.resolveOptions(request.options);

  RunContext context{methods, request, control, parseDevice(request.run.device), {}, {}, nullptr};
  if (control.cancelled()) throw Cancelled();
  const Value inputs = describeInputs(request.inputs);
  context.identity = identityOf(request, options, inputs);
  context.identity.set("circumstances", circumstances(request));
  if (request.run.checkpoint) removeLeftTemporaries(request.run.checkpoint->path);
  context.root =
      request.run.resume ? resumeFrom(context, *request.run.resume) : std::make_unique<CheckpointNode>();

  Value entry = Value::Map{
      {"method", request.method}, {"options", options}, {"seed", request.run.seed}, {"inputs", inputs}};
  Job job(context, *context.root, request.method, static_cast<uint64_t>(request.run.seed), 0, 1);
  MethodResult result;
  try {
    result = method.run(request.inputs, request.options, job);
  } catch (const Cancelled&) {
    job.writeCheckpointNow();
    throw;
  } catch (const Error& error) {
    if (error.code() == ErrorCode::kDiverged) {
      entry.set("divergedAt", error.details().at("step"));
      enterHistory(error.details(), entry, {});
    }
    const bool isAboutValues =
        error.code() == ErrorCode::kInvalidArgType || error.code() == ErrorCode::kOutOfRange;
    if (!request.run.resume || !isAboutValues) throw;
    // The same run began with these arguments: what it now stumbles over is the checkpoint's.
    fail(ErrorCode::kCheckpointInvalid, request.run.resume.value(),
         " does not fit the run: ", error.message());
  } catch (const c10::Error&) {
    if (!request.run.resume) throw;
    failFromTorch(ErrorCode::kCheckpointInvalid, text(request.run.resume.value(), " does not fit the run"));
  }
  job.endCheckpoints();
  const double durationMs =
      std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - context.start).count();
  std::optional<double> seconds;  // of a run that was not stopped
  if (!request.run.resume) seconds = durationMs / 1000;
  enterHistory(result.outputs, entry, seconds);
  // Whatever the method planned, the last word is that all of it is done.
  job.progress("done", 1, 1, HUGE_VAL, 0, Value::Map{}, /*now=*/true);

  Value report = Value::Map{
      {"format", "espalier-report/1"},
      {"method", request.method},
      {"options", options},
      {"seed", request.run.seed},
      {"versions", Value::Map{{"espalier", kVersion}, {"libtorch", TORCH_VERSION}}},
      {"machine", Value::Map{{"cpu", processorName()},
                             {"cores", cores},
                             {"threads", static_cast<int64_t>(at::get_num_threads())},
                             {"device", request.run.device}}},
      {"inputs", inputs},
      {"startedAt", startedAt},
      {"durationMs", durationMs},
      {"warnings", toValue(context.warnings)},
      {"figures", std::move(result.report)},
  };
  return {std::move(result.outputs), std::move(report)};
}

}  // namespace espalier
