#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "core/safetensors.h"
#include "core/train/state.h"
#include "core/value.h"

// What a run has done so far, as a tree: a node a method invocation, an entry for each thing in it that costs
// time. A method is resumed by running it again from its start: what its entries say is finished is not done
// again, the one that was running goes on. So a method must do the same things in the same order from the
// same inputs, options and seed, which it does anyway.
namespace espalier {

struct CheckpointNode;

struct CheckpointEntry {
  std::string key;  // of a training "train", of a sub-run the method's name, else the memo's own
  bool finished = false;
  // A training: its state, position and generators. Final once finished.
  StateArchive state;
  // A finished sub-run's outputs and report, or a memo's value.
  Value outputs;
  Value value;
  // A sub-run that is not finished.
  std::unique_ptr<CheckpointNode> child;
};

struct CheckpointNode {
  std::string method;
  std::vector<std::unique_ptr<CheckpointEntry>> entries;
  size_t next = 0;  // the entry that the method asks for next

  // The saved entry that comes next, or a new one. A saved entry of another key is ERR_CHECKPOINT_INVALID.
  CheckpointEntry& enter(const std::string& key);
  // Passes over saved entries.
  void goOnAt(int64_t ordinal);
};

// Parsed, checked, but not yet compared with the run that wants it.
struct Checkpoint {
  Value identity;
  std::unique_ptr<CheckpointNode> root;
};

// What a checkpoint holds: the tree as JSON, and its tensors, which are those of the tree, not copies.
struct CheckpointImage {
  std::string json;
  NamedTensors tensors;
};
CheckpointImage imageOf(const Value& identity, const CheckpointNode& root);

// safetensors with the tree in its metadata and a SHA-256 over all of it. Written beside and renamed, the
// folder synced; what was at `path` becomes path.1, and so on up to `keep` files.
void writeCheckpoint(const std::string& path, const CheckpointImage& image, int64_t keep);
// ERR_IO, ERR_CHECKPOINT_INVALID for a torn, damaged or foreign file, and what `Model::load` says of a model
// in it. `trust`: the run's model was loaded so, and the checkpoint's are of the same maker.
Checkpoint readCheckpoint(const std::string& path, bool trust = false);

}  // namespace espalier
