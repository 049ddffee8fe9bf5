#pragma once

#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace espalier {

// Work for a lane. Exactly one of run() and drop() is called.
class Task {
 public:
  // Who may be closed under it (an environment of Node); only compared.
  explicit Task(const void* owner) : owner_(owner) {}
  virtual ~Task() = default;
  // On a thread of the lane. Must not throw.
  virtual void run() noexcept = 0;
  // In place of run(), when it is taken out of the queue; on the thread that did so.
  virtual void drop() noexcept = 0;
  // Asks run() to end early; on any thread, before, during or after it.
  virtual void cancel() noexcept = 0;
  const void* owner() const { return owner_; }

 private:
  const void* owner_;
};
using TaskPtr = std::shared_ptr<Task>;

// A queue and the threads that serve it, started when first needed and kept: libtorch keeps state per thread,
// and each thread that calls it may grow a pool of OpenMP threads of its own.
// Thread rule: every member from any thread.
class Lane {
 public:
  // `intraOpThreads`: what an operator of libtorch may use on this lane unless the work says otherwise.
  // `niceness`: by how much its threads, and those that they start from then on, rank below the process's own
  // once more tasks may run than the machine has cores.
  Lane(std::string name, int threads, int intraOpThreads, int niceness = 0);
  ~Lane();

  void submit(TaskPtr task);
  // A queued task is dropped at once; a running one is asked to end.
  void cancel(const TaskPtr& task);
  // How many tasks run at once; more than that queue.
  void setThreads(int threads);
  int threads() const;

  // Drops and cancels the owner's tasks, and returns when none of them runs.
  void stop(const void* owner);
  // The same for all tasks, and ends the threads; what is submitted later is dropped.
  void close();

 private:
  void serve(int index);
  // Starts the threads that the tasks at hand want; the mutex is held.
  void grow();
  template <class Chosen>
  std::vector<TaskPtr> takeQueued(const Chosen& chosen);

  const std::string name_;
  const int intraOpThreads_;
  const int niceness_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<TaskPtr> queue_;
  std::vector<TaskPtr> running_;
  std::vector<std::thread> pool_;
  int limit_;
  bool closed_ = false;
};

// Long runs queue here.
Lane& runLane();
// Load, save, forward and the like, so that a server answers while it trains; one intra-op thread.
Lane& shortLane();
// Both lanes closed. Called before libtorch is torn down: a thread that is inside it then ends the process.
void closeLanes();

// The intra-op threads of a run that does not say: the machine's cores, shared by the concurrent runs.
int defaultThreads();

}  // namespace espalier
