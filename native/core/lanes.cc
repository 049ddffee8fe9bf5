#include "core/lanes.h"

#include <algorithm>
#include <cstdlib>
#include <pthread.h>
#include <sys/resource.h>

#include <ATen/Parallel.h>

namespace espalier {

static int cores() { return std::max(1, static_cast<int>(std::thread::hardware_concurrency())); }

Lane::Lane(std::string name, int threads, int intraOpThreads, int niceness)
    : name_(std::move(name)), intraOpThreads_(intraOpThreads), niceness_(niceness), limit_(threads) {}

Lane::~Lane() { close(); }

void Lane::submit(TaskPtr task) {
  {
    const std::lock_guard lock(mutex_);
    if (!closed_) {
      queue_.push_back(std::move(task));
      grow();
      return;
    }
  }
  task->drop();
}

void Lane::cancel(const TaskPtr& task) {
  const std::vector<TaskPtr> taken = takeQueued([&](const TaskPtr& queued) { return queued == task; });
  if (taken.empty()) {
    task->cancel();
  } else {
    task->drop();
  }
}

void Lane::setThreads(int threads) {
  const std::lock_guard lock(mutex_);
  limit_ = threads;
  if (!closed_) grow();
}

void Lane::grow() {
  const size_t wanted = std::min(static_cast<size_t>(limit_), queue_.size() + running_.size());
  while (pool_.size() < wanted) {
    pool_.emplace_back([this, index = static_cast<int>(pool_.size())] { serve(index); });
  }
  changed_.notify_all();
}

int Lane::threads() const {
  const std::lock_guard lock(mutex_);
  return limit_;
}

void Lane::stop(const void* owner) {
  const auto owned = [owner](const TaskPtr& task) { return task->owner() == owner; };
  for (const TaskPtr& task : takeQueued(owned)) task->drop();
  std::unique_lock lock(mutex_);
  for (const TaskPtr& task : running_) {
    if (owned(task)) task->cancel();
  }
  changed_.wait(lock, [&] { return std::none_of(running_.begin(), running_.end(), owned); });
}

void Lane::close() {
  std::vector<std::thread> pool;
  {
    const std::lock_guard lock(mutex_);
    closed_ = true;
    pool.swap(pool_);
    for (const TaskPtr& task : running_) task->cancel();
    changed_.notify_all();
  }
  for (const TaskPtr& task : takeQueued([](const TaskPtr&) { return true; })) task->drop();
  for (std::thread& thread : pool) thread.join();
}

template <class Chosen>
std::vector<TaskPtr> Lane::takeQueued(const Chosen& chosen) {
  const std::lock_guard lock(mutex_);
  std::vector<TaskPtr> taken;
  std::copy_if(queue_.begin(), queue_.end(), std::back_inserter(taken), chosen);
  std::erase_if(queue_, chosen);
  return taken;
}

void Lane::serve(int index) {
  pthread_setname_np(pthread_self(), name_.substr(0, 15).c_str());
  // The first question makes libtorch take the process's last setting for this thread; ours comes after it.
  at::get_num_threads();
  at::set_num_threads(intraOpThreads_);
  bool ranksBelow = niceness_ == 0;
  std::unique_lock lock(mutex_);
  for (;;) {
    changed_.wait(lock, [&] { return closed_ || (!queue_.empty() && index < limit_); });
    if (closed_) return;
    TaskPtr task = std::move(queue_.front());
    queue_.pop_front();
    running_.push_back(task);
    if (!ranksBelow && limit_ > cores()) {
      // On Linux 0 is this thread alone. What cannot be set stays as it is.
      setpriority(PRIO_PROCESS, 0, getpriority(PRIO_PROCESS, 0) + niceness_);
      ranksBelow = true;
    }
    lock.unlock();
    task->run();
    lock.lock();
    std::erase(running_, task);
    changed_.notify_all();
    lock.unlock();
    task.reset();  // may free a model
    lock.lock();
  }
}

namespace {

// The event loop's thread would wait for a core up to ten milliseconds and more.
constexpr int kRunNiceness = 15;

// Never destroyed: their threads are ended by closeLanes(), which must not wait for the order of destructors.
struct Lanes {
  Lane runs{"espalier-run", 1, cores(), kRunNiceness};
  Lane shortWork{"espalier-short", 1, 1};
};

Lanes& lanes() {
  static Lanes* const lanes = [] {
    std::atexit(closeLanes);
    return new Lanes;
  }();
  return *lanes;
}

}  // namespace

Lane& runLane() { return lanes().runs; }
Lane& shortLane() { return lanes().shortWork; }

void closeLanes() {
  lanes().runs.close();
  lanes().shortWork.close();
}

int defaultThreads() { return std::max(1, cores() / runLane().threads()); }

}  // namespace espalier
