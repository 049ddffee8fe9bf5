#include "core/train/trainer.h"

#include <filesystem>
#include <fstream>

#include <torch/types.h>
#include <torch/utils.h>

#include "check.h"
#include "core/file.h"
#include "toy_methods.h"

using namespace espalier;
using namespace espalier::test;

namespace {

const MethodTable& toys() {
  static const MethodTable table{toyGradual(), toyAdmm(), toyAdversarial(), toyNested(), toyParent()};
  return table;
}

std::shared_ptr<Domain> toyDomain(bool withNan = false) {
  auto generator = at::detail::createCPUGenerator(5);
  at::Tensor images = torch::rand({60, 1, 4, 4}, generator);
  const at::Tensor labels = (images.mean({1, 2, 3}) * 6).to(at::kLong).clamp(0, 2);
  if (withNan) images.index_put_({37}, std::numeric_limits<float>::max());
  const DatasetPtr all = Dataset::fromTensors(images, labels, 3);
  const auto parts = all->split({0.75, 0.25}, 1);
  return std::make_shared<Domain>("toy", withNan ? all : parts[0], parts[1], nullptr);
}

RunRequest request(const std::string& method, const std::shared_ptr<Domain>& domain) {
  RunRequest out;
  out.method = method;
  out.inputs = Value::Map{{"model", HandlePtr(makePerceptron(16, 8, 3, 3))}, {"domain", HandlePtr(domain)}};
  out.options = Value::Map{};
  out.run.seed = 11;
  out.run.threads = 1;
  return out;
}

std::string bytesOf(const RunResult& result) {
  const auto model = std::dynamic_pointer_cast<Model>(result.outputs.at("model").asHandle());
  return model->saveBytes(ManifestKind::kFull) + toJson(result.report.at("figures"));
}

class Folder {
 public:
  Folder() : path_(std::filesystem::temp_directory_path() / ("espalier-test-" + std::to_string(::getpid()))) {
    std::filesystem::remove_all(path_);
    std::filesystem::create_directories(path_);
  }
  ~Folder() { std::filesystem::remove_all(path_); }
  std::string file(const std::string& name) const { return (path_ / name).string(); }

 private:
  std::filesystem::path path_;
};

// The bytes of a run that is stopped after its first step, resumed, stopped after one more, and so on.
std::string stoppedAtEveryStep(const std::string& method, const std::shared_ptr<Domain>& domain, int& stops) {
  const Folder folder;
  RunRequest stopped = request(method, domain);
  stopped.run.checkpoint = CheckpointOptions{};
  stopped.run.checkpoint->path = folder.file("run.checkpoint");
  for (stops = 0; stops < 1000; ++stops) {
    RunControl control;
    int steps = 0;
    onToyStep = [&] {
      if (++steps == 1) control.cancel();
    };
    try {
      return bytesOf(execute(toys(), stopped, control));
    } catch (const Cancelled&) {
      stopped.run.resume = stopped.run.checkpoint->path;
    }
  }
  throw Failure("it never ends");
}

// Runs until its nth step, at which it is cancelled; whether it was.
bool isCancelledAt(const RunRequest& run, int step) {
  RunControl control;
  int steps = 0;
  onToyStep = [&] {
    if (++steps == step) control.cancel();
  };
  try {
    execute(toys(), run, control);
  } catch (const Cancelled&) {
    return true;
  }
  return false;
}

void testResume(const std::string& method) {
  const auto domain = toyDomain();
  onToyStep = [] {};
  RunControl control;
  const std::string straight = bytesOf(execute(toys(), request(method, domain), control));
  int stops = 0;
  const std::string pieces = stoppedAtEveryStep(method, domain, stops);
  EXPECT(stops >= 9);
  EXPECT(pieces == straight);
}

}  // namespace

TEST("trainer: gradual pruning stopped after every step ends with the same bytes") {
  testResume("toy.gradual");
}
TEST("trainer: ADMM with a second network stopped after every step ends with the same bytes") {
  testResume("toy.admm");
}
TEST("trainer: generator and discriminator stopped after every step end with the same bytes") {
  testResume("toy.adversarial");
}
TEST("trainer: sub-runs stopped after every step end with the same bytes") { testResume("toy.parent"); }
TEST("trainer: sub-runs between the steps of a training, stopped after every step, end with the same bytes") {
  testResume("toy.nested");
}

TEST("checkpoint: a run that is cancelled between its trainings writes one") {
  const Folder folder;
  RunRequest run = request("toy.nested", toyDomain());
  run.run.checkpoint = CheckpointOptions{};
  run.run.checkpoint->path = folder.file("a.checkpoint");
  // The last step of all: what notices is the memo behind the training.
  EXPECT(isCancelledAt(run, 55));
  EXPECT(readCheckpoint(run.run.checkpoint->path).root->entries.at(0)->finished);
}

TEST("trainer: another seed gives another result") {
  const auto domain = toyDomain();
  onToyStep = [] {};
  RunControl control;
  RunRequest other = request("toy.admm", domain);
  const std::string first = bytesOf(execute(toys(), other, control));
  other.run.seed = 12;
  EXPECT(first != bytesOf(execute(toys(), other, control)));
}

TEST("checkpoint: another run's is refused, with both named") {
  const Folder folder;
  const auto domain = toyDomain();
  onToyStep = [] {};
  RunControl control;
  RunRequest first = request("toy.gradual", domain);
  first.run.checkpoint = CheckpointOptions{};
  first.run.checkpoint->path = folder.file("a.checkpoint");
  first.run.checkpoint->everySteps = 1;
  execute(toys(), first, control);
  RunRequest second = request("toy.admm", domain);
  second.run.resume = first.run.checkpoint->path;
  const Error method = ERROR_OF(execute(toys(), second, control));
  EXPECT(method.code() == ErrorCode::kCheckpointMismatch);
  EXPECT(method.message().find("toy.admm") != std::string::npos);
  EXPECT(method.message().find("toy.gradual") != std::string::npos);
  second = request("toy.gradual", domain);
  second.run.resume = first.run.checkpoint->path;
  second.run.seed = 99;
  EXPECT(ERROR_OF(execute(toys(), second, control)).message().find("99") != std::string::npos);
  second.run.seed = 11;
  second.run.threads = 2;
  const RunResult resumed = execute(toys(), second, control);
  EXPECT_EQ(resumed.report.at("warnings").asList().size(), 1U);
}

TEST("checkpoint: a model in it is scanned, unless the run's own was trusted") {
  const Folder folder;
  onToyStep = [] {};
  RunControl control;
  RunRequest run = request("toy.parent", toyDomain());
  torch::jit::Module module = std::dynamic_pointer_cast<Model>(run.inputs.at("model").asHandle())->module();
  module.define("def peek(self, x):\n  return torch.as_strided(x, [9], [1], 0)\n");
  const std::string bytes = Model::fromModule(module)->saveBytes(ManifestKind::kFull);
  run.inputs.set("model", HandlePtr(Model::fromBytes(bytes, "the model", /*trust=*/true)));
  run.run.checkpoint = CheckpointOptions{};
  run.run.checkpoint->path = folder.file("a.checkpoint");
  run.run.checkpoint->everySteps = 1;
  const std::string straight = bytesOf(execute(toys(), run, control));
  const Error error = ERROR_OF(readCheckpoint(run.run.checkpoint->path));
  EXPECT(error.code() == ErrorCode::kModelUnsafe);
  EXPECT(error.message().find("checkpoint '" + run.run.checkpoint->path) != std::string::npos);
  EXPECT(error.message().find("aten::as_strided") != std::string::npos);
  run.run.resume = run.run.checkpoint->path;
  EXPECT(bytesOf(execute(toys(), run, control)) == straight);
}

TEST("checkpoint: keeps as many generations as asked for, and no temporary file") {
  const Folder folder;
  onToyStep = [] {};
  RunControl control;
  RunRequest run = request("toy.gradual", toyDomain());
  run.run.checkpoint = CheckpointOptions{};
  run.run.checkpoint->path = folder.file("a.checkpoint");
  run.run.checkpoint->everySteps = 1;
  run.run.checkpoint->keep = 3;
  execute(toys(), run, control);
  size_t files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(std::filesystem::path(folder.file("")))) {
    ++files;
    EXPECT_EQ(readCheckpoint(entry.path().string()).identity.at("method").asString(), "toy.gradual");
  }
  EXPECT_EQ(files, 3U);
}

TEST("checkpoint: torn and damaged files are refused") {
  const Folder folder;
  onToyStep = [] {};
  RunControl control;
  RunRequest run = request("toy.gradual", toyDomain());
  run.run.checkpoint = CheckpointOptions{};
  run.run.checkpoint->path = folder.file("a.checkpoint");
  run.run.checkpoint->everySteps = 1;
  execute(toys(), run, control);
  const std::string whole = readFile(run.run.checkpoint->path, 1 << 30);
  const auto refused = [&](const std::string& bytes) {
    writeFileAtomically(folder.file("b.checkpoint"), bytes);
    return ERROR_OF(readCheckpoint(folder.file("b.checkpoint"))).code() == ErrorCode::kCheckpointInvalid;
  };
  for (size_t length : {size_t{0}, size_t{5}, size_t{100}, whole.size() / 2, whole.size() - 1}) {
    EXPECT(refused(whole.substr(0, length)));
  }
  for (size_t i = 0; i < 60; ++i) {
    std::string flipped = whole;
    flipped[i * (whole.size() - 1) / 59] ^= 0x10;
    EXPECT(refused(flipped));
  }
}

TEST("checkpoint: a state that does not fit its training is refused, whatever its checksum says") {
  const Folder folder;
  RunRequest run = request("toy.gradual", toyDomain());
  run.run.checkpoint = CheckpointOptions{};
  run.run.checkpoint->path = folder.file("a.checkpoint");
  EXPECT(isCancelledAt(run, 7));
  onToyStep = [] {};
  run.run.checkpoint = std::nullopt;
  const auto resumedWith = [&](const std::function<void(StateArchive&)>& damage) {
    Checkpoint saved = readCheckpoint(folder.file("a.checkpoint"));
    damage(saved.root->entries.at(0)->state);
    run.run.resume = folder.file("b.checkpoint");
    writeCheckpoint(*run.run.resume, imageOf(saved.identity, *saved.root), 1);
    RunControl control;
    execute(toys(), run, control);
  };
  const auto refused = [&](const std::function<void(StateArchive&)>& damage) {
    return ERROR_OF(resumedWith(damage)).code() == ErrorCode::kCheckpointInvalid;
  };
  const auto scalar = [&](const char* name, const Value& value) {
    return refused([&](StateArchive& state) { state.scalars.set(name, value); });
  };
  const auto inner = [&](const char* name, const Value& value) {
    return refused([&](StateArchive& state) {
      Value scalars = state.scalars.at("state");
      EXPECT(scalars.find(name) != nullptr);
      scalars.set(name, value);
      state.scalars.set("state", scalars);
    });
  };
  resumedWith([](StateArchive&) {});
  EXPECT(scalar("phase", 1));
  EXPECT(scalar("phase", -1));
  EXPECT(scalar("step", -1));
  EXPECT(scalar("step", 1000));
  EXPECT(scalar("epochsClosed", -1));
  EXPECT(scalar("epochsClosed", 3));
  EXPECT(inner("optimizer.first#", 0));
  EXPECT(inner("optimizer.masters#", 1));
  EXPECT(inner("optimizer.second.0?", false));
  EXPECT(inner("model?", false));
  EXPECT(refused([](StateArchive& state) {
    for (auto& [name, tensor] : state.tensors) {
      if (name == "optimizer.first.0") tensor = torch::zeros({1});
    }
  }));
  EXPECT(refused([](StateArchive& state) {
    for (auto& [name, tensor] : state.tensors) {
      if (name == "optimizer.first.0") tensor = tensor.to(at::kDouble);
    }
  }));
}

TEST("guard: a bad sample is named, and the last good state kept") {
  const Folder folder;
  RunControl control;
  onToyStep = [] {};
  RunRequest run = request("toy.gradual", toyDomain(/*withNan=*/true));
  // Finite in, infinite out: a sample of the largest float overflows in the first layer.
  run.run.checkpoint = CheckpointOptions{};
  run.run.checkpoint->path = folder.file("a.checkpoint");
  const Error error = ERROR_OF(execute(toys(), run, control));
  EXPECT(error.code() == ErrorCode::kDiverged);
  EXPECT_EQ(error.details().at("samples").asList().size(), 1U);
  EXPECT_EQ(error.details().at("samples").asList()[0].asInt(), 37);
  EXPECT(!error.details().at("layer").asString().empty() ||
         error.message().find("first at") == std::string::npos);
  EXPECT_EQ(error.details().at("checkpoint").asString(), run.run.checkpoint->path);
  const auto model = std::dynamic_pointer_cast<Model>(error.details().at("model").asHandle());
  for (const at::Tensor& weight : model->weights()) EXPECT(weight.isfinite().all().item<bool>());
  const Value& made = model->manifest().at("methods").asList().back();
  EXPECT_EQ(made.at("divergedAt").asInt(), error.details().at("step").asInt());
  const Checkpoint kept = readCheckpoint(run.run.checkpoint->path);
  EXPECT_EQ(kept.root->entries.at(0)->state.scalars.at("step").asInt(), error.details().at("step").asInt());
  for (const auto& [name, tensor] : kept.root->entries.at(0)->state.tensors) {
    if (tensor.is_floating_point()) EXPECT(tensor.isfinite().all().item<bool>());
  }
}

TEST("schedule: warm-up, steps and cosine") {
  Schedule schedule;
  schedule.kind = ScheduleKind::kConstant;
  schedule.warmup = 0.5;
  EXPECT_NEAR(schedule.at(0, 8), 0.25, 1e-12);
  EXPECT_NEAR(schedule.at(3, 8), 1, 1e-12);
  EXPECT_NEAR(schedule.at(7, 8), 1, 1e-12);
  schedule.warmup = 0;
  schedule.kind = ScheduleKind::kStep;
  EXPECT_NEAR(schedule.at(49, 100), 1, 1e-12);
  EXPECT_NEAR(schedule.at(50, 100), 0.1, 1e-12);
  EXPECT_NEAR(schedule.at(75, 100), 0.01, 1e-12);
  schedule.kind = ScheduleKind::kCosine;
  schedule.final = 0.2;
  EXPECT_NEAR(schedule.at(0, 100), 1, 1e-12);
  EXPECT_NEAR(schedule.at(50, 100), 0.6, 1e-12);
}
