#include <filesystem>
#include <unistd.h>

#include <torch/types.h>
#include <torch/utils.h>

#include "check.h"
#include "core/checkpoint/newest.h"
#include "core/file.h"
#include "core/safetensors.h"

using namespace espalier;

namespace {

// A folder with the checkpoints of steps 1, 2 and 3; the newest is at `path`.
struct Series {
  std::string folder =
      (std::filesystem::temp_directory_path() / text("espalier-checkpoint-", ::getpid())).string();
  std::string path = folder + "/run.checkpoint";

  Series() {
    std::filesystem::create_directories(folder);
    for (int64_t step = 1; step <= 3; ++step) {
      CheckpointNode root;
      root.method = "toy";
      CheckpointEntry& entry = root.enter("train");
      entry.state.tensors.emplace_back("weight", torch::full({100}, step, at::kFloat));
      entry.value = step;
      writeCheckpoint(path, imageOf(Value::Map{{"method", "toy"}}, root), 3);
    }
  }
  ~Series() { std::filesystem::remove_all(folder); }

  std::string at(int64_t age) const { return generationPath(path, age); }
  void tear(int64_t age) const {
    std::string bytes = readFile(at(age), 1 << 20);
    bytes[bytes.size() - 5] ^= 1;
    writeFileAtomically(at(age), bytes);
  }
};

int64_t stepOf(const NewestCheckpoint& found) { return found.checkpoint.root->entries.at(0)->value.asInt(); }

}  // namespace

TEST("checkpoint: of a series the newest whole one is taken, and said why no newer") {
  const Series series;
  NewestCheckpoint found = readNewestCheckpoint(series.path);
  EXPECT_EQ(stepOf(found), 3);
  EXPECT_EQ(found.fault, "");
  series.tear(0);
  found = readNewestCheckpoint(series.path);
  EXPECT_EQ(stepOf(found), 2);
  EXPECT_EQ(found.path, series.at(1));
  EXPECT(found.fault.find(series.path) != std::string::npos);
  EXPECT(found.fault.find("damaged") != std::string::npos);
  std::filesystem::resize_file(series.at(1), 50);
  EXPECT_EQ(stepOf(readNewestCheckpoint(series.path)), 1);
  std::filesystem::remove(series.path);
  std::filesystem::remove(series.at(1));
  found = readNewestCheckpoint(series.path);
  EXPECT_EQ(stepOf(found), 1);
  EXPECT(found.fault.find("cannot read") != std::string::npos);
}

TEST("checkpoint: where none is whole, the error is the newest's") {
  const Series series;
  for (int64_t age = 0; age < 3; ++age) series.tear(age);
  const Error error = ERROR_OF(readNewestCheckpoint(series.path));
  EXPECT(error.code() == ErrorCode::kCheckpointInvalid);
  EXPECT(error.message().find(series.path + " does not fit") != std::string::npos);
  EXPECT(error.message().find("no older checkpoint beside it is whole") != std::string::npos);
  const Error missing = ERROR_OF(readNewestCheckpoint(series.folder + "/none"));
  EXPECT(missing.code() == ErrorCode::kIo);
}

TEST("checkpoint: a damaged one does not take the place of the newest whole one") {
  const Series series;
  series.tear(0);
  CheckpointNode root;
  root.method = "toy";
  root.enter("train").value = 4;
  writeCheckpoint(series.path, imageOf(Value::Map{{"method", "toy"}}, root), 2);
  EXPECT_EQ(stepOf(readNewestCheckpoint(series.path)), 4);
}

namespace {

struct Listed {
  std::vector<int64_t> items;

  template <class Visitor>
  void fields(Visitor& visit) {
    visit("items", items, kCollected);
  }
};

}  // namespace

TEST("checkpoint: a list is no longer than what is saved of it") {
  Listed saved{{1, 2, 3}};
  StateWriter writer(/*copy=*/true);
  saved.fields(writer);
  StateArchive archive = writer.take();
  const auto readBack = [&] {
    Listed found;
    StateReader reader(archive, c10::kCPU, Origin::kFile);
    found.fields(reader);
    return found.items;
  };
  EXPECT(readBack() == saved.items);
  for (const int64_t count : {int64_t{-1}, int64_t{1} << 60}) {
    archive.scalars.set("items#", count);
    const Error error = ERROR_OF(readBack());
    EXPECT(error.code() == ErrorCode::kCheckpointInvalid);
    EXPECT(error.message().find("items of items in the saved state") != std::string::npos);
  }
}

TEST("checkpoint: a header whose metadata is no map is a damaged file") {
  const Series series;
  writeFileAtomically(series.path,
                      writeSafetensors({{"weight", torch::zeros({2})}}, Value::List{"espalier", "sha256"}));
  EXPECT(ERROR_OF(readCheckpoint(series.path)).code() == ErrorCode::kCheckpointInvalid);
}
