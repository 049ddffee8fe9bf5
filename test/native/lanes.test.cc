#include "core/lanes.h"

#include <atomic>
#include <chrono>
#include <future>
#include <sys/resource.h>
#include <thread>

#include <ATen/Parallel.h>

#include "check.h"

namespace espalier {
namespace {

// Runs until it is cancelled or released.
class Waiting : public Task {
 public:
  explicit Waiting(const void* owner = nullptr) : Task(owner) {}
  void run() noexcept override {
    started.set_value();
    while (!cancelled && !released) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    ended = true;
  }
  void drop() noexcept override { dropped = true; }
  void cancel() noexcept override { cancelled = true; }

  std::promise<void> started;
  std::atomic<bool> cancelled = false, released = false, ended = false, dropped = false;
};

// Calls a function.
class Calling : public Task {
 public:
  explicit Calling(std::function<void()> call) : Task(nullptr), call_(std::move(call)) {}
  void run() noexcept override {
    call_();
    done.set_value();
  }
  void drop() noexcept override {}
  void cancel() noexcept override {}
  std::promise<void> done;

 private:
  std::function<void()> call_;
};

void awaitStart(Waiting& task) { task.started.get_future().wait(); }

TEST("lanes: tasks run in order, one at a time") {
  Lane lane("test", 1, 1);
  std::vector<int> order;
  std::atomic<int> running = 0;
  std::atomic<bool> alone = true;
  std::shared_ptr<Calling> last;
  for (int i = 0; i < 20; ++i) {
    last = std::make_shared<Calling>([&order, &running, &alone, i] {
      if (++running != 1) alone = false;
      order.push_back(i);
      --running;
    });
    lane.submit(last);
  }
  last->done.get_future().wait();
  EXPECT(alone);
  EXPECT_EQ(order.size(), 20U);
  EXPECT(std::is_sorted(order.begin(), order.end()));
}

TEST("lanes: as many tasks run at once as there are threads, also when their number changes") {
  Lane lane("test", 1, 1);
  const auto first = std::make_shared<Waiting>();
  const auto second = std::make_shared<Waiting>();
  lane.submit(first);
  lane.submit(second);
  awaitStart(*first);
  auto secondStarted = second->started.get_future();
  EXPECT(secondStarted.wait_for(std::chrono::milliseconds(30)) == std::future_status::timeout);
  lane.setThreads(2);
  secondStarted.wait();
  first->released = second->released = true;
}

TEST("lanes: a queued task is dropped at once, a running one is asked to end") {
  Lane lane("test", 1, 1);
  const auto running = std::make_shared<Waiting>();
  const auto queued = std::make_shared<Waiting>();
  lane.submit(running);
  lane.submit(queued);
  awaitStart(*running);
  lane.cancel(queued);
  EXPECT(queued->dropped && !queued->cancelled);
  EXPECT(!running->ended);
  lane.cancel(running);
  lane.stop(nullptr);
  EXPECT(running->ended && !running->dropped);
}

TEST("lanes: stop ends one owner's tasks and leaves the others alone") {
  Lane lane("test", 2, 1);
  const int mine = 0, other = 0;
  const auto ours = std::make_shared<Waiting>(&mine);
  const auto theirs = std::make_shared<Waiting>(&other);
  const auto queued = std::make_shared<Waiting>(&mine);
  const auto theirQueued = std::make_shared<Waiting>(&other);
  for (const auto& task : {ours, theirs, queued, theirQueued}) lane.submit(task);
  awaitStart(*ours);
  awaitStart(*theirs);
  lane.stop(&mine);
  EXPECT(ours->ended && queued->dropped);
  EXPECT(!theirs->cancelled && !theirQueued->dropped);
  awaitStart(*theirQueued);
  theirs->released = theirQueued->released = true;
}

TEST("lanes: closing joins what runs and drops what is queued or comes later") {
  Lane lane("test", 1, 1);
  const auto running = std::make_shared<Waiting>();
  const auto queued = std::make_shared<Waiting>();
  lane.submit(running);
  lane.submit(queued);
  awaitStart(*running);
  lane.close();
  EXPECT(running->ended && queued->dropped);
  const auto late = std::make_shared<Waiting>();
  lane.submit(late);
  EXPECT(late->dropped);
  lane.close();
}

TEST("lanes: a lane's intra-op threads are its own") {
  Lane one("one", 1, 1), two("two", 1, 2);
  int ofOne = 0, ofTwo = 0;
  const auto askOne = std::make_shared<Calling>([&] { ofOne = at::get_num_threads(); });
  const auto askTwo = std::make_shared<Calling>([&] { ofTwo = at::get_num_threads(); });
  const auto askOneAgain = std::make_shared<Calling>([&] { ofOne += 10 * at::get_num_threads(); });
  one.submit(askOne);
  askOne->done.get_future().wait();
  two.submit(askTwo);
  askTwo->done.get_future().wait();
  one.submit(askOneAgain);
  askOneAgain->done.get_future().wait();
  EXPECT_EQ(ofOne, 11);
  EXPECT_EQ(ofTwo, 2);
}

TEST("lanes: more threads than cores, and those that they start, rank below the process's own") {
  const int own = getpriority(PRIO_PROCESS, 0);
  const int many = static_cast<int>(std::thread::hardware_concurrency()) + 1;
  Lane few("few", 1, 1, 3), lane("many", many, 1, 3);
  int ofFew = 0, ofLane = 0, ofChild = 0;
  const auto askFew = std::make_shared<Calling>([&] { ofFew = getpriority(PRIO_PROCESS, 0); });
  few.submit(askFew);
  askFew->done.get_future().wait();
  EXPECT_EQ(ofFew, own);
  const auto ask = std::make_shared<Calling>([&] {
    ofLane = getpriority(PRIO_PROCESS, 0);
    std::thread([&] { ofChild = getpriority(PRIO_PROCESS, 0); }).join();
  });
  lane.submit(ask);
  ask->done.get_future().wait();
  EXPECT_EQ(ofLane, std::min(19, own + 3));
  EXPECT_EQ(ofChild, ofLane);
  EXPECT_EQ(getpriority(PRIO_PROCESS, 0), own);
}

TEST("lanes: callers on many threads submit, cancel, stop and resize at once, and every task ends") {
  constexpr int kCallers = 4;
  constexpr int kTasks = 200;
  std::atomic<int> ended = 0;
  class Counting : public Task {
   public:
    Counting(const void* owner, std::atomic<int>& ended) : Task(owner), ended_(ended) {}
    void run() noexcept override {
      for (int spin = 0; spin < 100 && !cancelled_; ++spin) std::this_thread::yield();
      ++ended_;
    }
    void drop() noexcept override { ++ended_; }
    void cancel() noexcept override { cancelled_ = true; }

   private:
    std::atomic<int>& ended_;
    std::atomic<bool> cancelled_ = false;
  };
  {
    Lane lane("test", 2, 1);
    std::vector<std::thread> callers;
    for (int caller = 0; caller < kCallers; ++caller) {
      callers.emplace_back([&lane, &ended, caller] {
        int owner = 0;
        for (int i = 0; i < kTasks; ++i) {
          const auto task = std::make_shared<Counting>(&owner, ended);
          lane.submit(task);
          if (i % 3 == caller % 3) lane.cancel(task);
          if (i % 50 == 49) lane.setThreads(1 + (i + caller) % 3);
          if (i % 70 == 69) lane.stop(&owner);
        }
        lane.stop(&owner);
      });
    }
    for (std::thread& caller : callers) caller.join();
  }
  EXPECT_EQ(ended.load(), kCallers * kTasks);
}

}  // namespace
}  // namespace espalier
