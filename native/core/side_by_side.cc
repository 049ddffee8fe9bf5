#include "core/side_by_side.h"

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <exception>
#include <mutex>
#include <thread>

#include <ATen/Parallel.h>

#include "core/blocks.h"

namespace espalier {

namespace {

constexpr auto kPoll = std::chrono::milliseconds(20);

// The threads that compute, and what they have finished since the run's own thread last looked.
// Thread rule: take() and the constructor on the run's thread; the destructor stops and joins.
class Workers {
 public:
  using Compute = std::function<Value(int64_t, const std::function<void()>&)>;

  Workers(std::vector<int64_t> tasks, int64_t count, int64_t threadsEach, const Compute& compute)
      : tasks_(std::move(tasks)), compute_(compute) {
    count = std::min(count, static_cast<int64_t>(tasks_.size()));
    for (int64_t i = 0; i < count; ++i) threads_.emplace_back([this, threadsEach] { serve(threadsEach); });
  }
  ~Workers() {
    stopped_ = true;
    for (std::thread& thread : threads_) thread.join();
  }
  Workers(const Workers&) = delete;
  Workers& operator=(const Workers&) = delete;

  // What was finished, after a short wait; rethrows what a task threw.
  std::vector<std::pair<int64_t, Value>> take() {
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, kPoll, [&] { return !finished_.empty() || error_; });
    if (error_) std::rethrow_exception(error_);
    return std::exchange(finished_, {});
  }
  int64_t ticks() const { return ticks_; }

 private:
  void serve(int64_t threadsEach) {
    // The first look at it makes libtorch set this thread up, which would undo what is set before.
    at::get_num_threads();
    at::set_num_threads(static_cast<int>(threadsEach));
    const BlockScope blocks;
    try {
      for (size_t next = next_++; next < tasks_.size() && !stopped_; next = next_++) {
        Value value = compute_(tasks_[next], [this] { tick(); });
        const std::lock_guard lock(mutex_);
        finished_.emplace_back(tasks_[next], std::move(value));
        changed_.notify_one();
      }
    } catch (...) {
      stopped_ = true;
      const std::lock_guard lock(mutex_);
      if (!error_) error_ = std::current_exception();
      changed_.notify_one();
    }
  }

  void tick() {
    if (stopped_) throw Cancelled();
    ++ticks_;
  }

  const std::vector<int64_t> tasks_;
  const Compute& compute_;
  std::atomic<size_t> next_{0};
  std::atomic<bool> stopped_{false};
  std::atomic<int64_t> ticks_{0};
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::pair<int64_t, Value>> finished_;
  std::exception_ptr error_;
  std::vector<std::thread> threads_;
};

}  // namespace

std::vector<Value> computeSideBySide(
    Job& job, const SideBySide& plan,
    const std::function<Value(int64_t task, const std::function<void()>& tick)>& compute) {
  CheckpointEntry& entry = job.enter(plan.key);
  Value& saved = entry.state.scalars;
  std::vector<int64_t> open;
  for (int64_t i = 0; i < plan.tasks; ++i) {
    if (saved.find(std::to_string(i)) == nullptr) open.push_back(i);
  }
  auto left = static_cast<int64_t>(open.size());
  const int64_t done = plan.tasks - left;
  const auto all = static_cast<double>(plan.tasks * plan.ticksPerTask);
  const auto start = std::chrono::steady_clock::now();
  const int ownThreads = at::get_num_threads();
  {
    Workers workers(std::move(open), plan.workers, plan.threadsPerWorker, compute);
    while (left > 0) {
      job.checkCancelled();
      for (auto& [task, value] : workers.take()) {
        saved.set(std::to_string(task), std::move(value));
        --left;
        if (job.checkpointDue(plan.tasks - left)) job.writeCheckpointBehind();
      }
      const auto ticks = static_cast<double>(workers.ticks());
      const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
      const double share = (static_cast<double>(done * plan.ticksPerTask) + ticks) / all;
      job.progress(plan.key, plan.tasks - left, plan.tasks, plan.units * std::min(1.0, share),
                   ticks * static_cast<double>(plan.samplesPerTick) / seconds, Value::Map{}, left == 0);
    }
  }
  // Some of libtorch's libraries have one count for the process.
  at::set_num_threads(ownThreads);
  entry.finished = true;
  job.finishUnits(plan.units);
  std::vector<Value> values;
  for (int64_t i = 0; i < plan.tasks; ++i) values.push_back(saved.at(std::to_string(i)));
  return values;
}

}  // namespace espalier
