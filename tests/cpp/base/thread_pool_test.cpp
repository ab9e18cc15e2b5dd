#include "cpp/base/thread_pool.h"

#include <doctest/doctest.h>

#include <stdexcept>

#include "cpp/base/error.h"

namespace agpt::test {
namespace {

TEST_CASE("every task runs exactly once, whatever the number of threads and tasks") {
  for (const int n_threads : {1, 2, 3, 8}) {
    ThreadPool pool(n_threads);
    CHECK(pool.size() == n_threads);
    for (const Index n_tasks : {0, 1, 2, 7, 8, 9, 1000}) {
      CAPTURE(n_threads);
      CAPTURE(n_tasks);
      std::vector<std::atomic<int>> runs(static_cast<size_t>(n_tasks));
      std::atomic<bool> workers_in_range = true;
      pool.run(n_tasks, [&](Index task, int worker) {
        ++runs[static_cast<size_t>(task)];
        if (worker < 0 || worker >= n_threads) workers_in_range = false;
      });
      CHECK(workers_in_range);
      for (const std::atomic<int>& count : runs) REQUIRE(count == 1);
    }
  }
}

TEST_CASE("a pool of one thread runs its tasks in order on the calling thread") {
  ThreadPool pool(1);
  std::vector<Index> order;
  bool on_the_caller = true;
  pool.run(50, [&, caller = std::this_thread::get_id()](Index task, int) {
    order.push_back(task);
    on_the_caller = on_the_caller && std::this_thread::get_id() == caller;
  });
  CHECK(on_the_caller);
  REQUIRE(order.size() == 50);
  for (size_t i = 0; i < order.size(); ++i) CHECK(order[i] == static_cast<Index>(i));
}

TEST_CASE("no two tasks have the same worker at the same time, so a worker's memory needs no lock") {
  constexpr int kThreads = 4;
  ThreadPool pool(kThreads);
  std::vector<std::atomic<bool>> taken(kThreads);
  std::atomic<bool> shared = false;
  for (int round = 0; round < 50; ++round) {
    pool.run(64, [&](Index, int worker) {
      std::atomic<bool>& mine = taken[static_cast<size_t>(worker)];
      if (mine.exchange(true)) shared = true;
      std::this_thread::yield();
      mine = false;
    });
  }
  CHECK_FALSE(shared);
}

TEST_CASE("the caller sees what the tasks wrote, round after round") {
  ThreadPool pool(3);
  std::vector<Index> values(100, 0);
  for (Index round = 1; round <= 200; ++round) {
    pool.run(100, [&](Index task, int) { values[static_cast<size_t>(task)] += task; });
    for (Index i = 0; i < 100; ++i) REQUIRE(values[static_cast<size_t>(i)] == round * i);
  }
}

TEST_CASE("an exception of a task reaches the caller, and the pool works on") {
  for (const int n_threads : {1, 2, 4}) {
    CAPTURE(n_threads);
    ThreadPool pool(n_threads);
    const auto fail_at_five = [](Index task, int) {
      if (task == 5) throw std::runtime_error("task five");
    };
    CHECK_THROWS_WITH_AS(pool.run(100, fail_at_five), "task five", std::runtime_error);
    std::atomic<Index> n_runs = 0;
    CHECK_NOTHROW(pool.run(100, [&](Index, int) { ++n_runs; }));
    CHECK(n_runs == 100);
  }
}

TEST_CASE("when every task fails the caller gets one exception") {
  ThreadPool pool(4);
  for (int round = 0; round < 20; ++round)
    CHECK_THROWS_AS(pool.run(64, [](Index, int) { throw ArgumentError("no"); }), ArgumentError);
}

TEST_CASE("tasks not yet begun when one fails are dropped") {
  ThreadPool pool(1);
  Index last = -1;
  const auto fail_at_three = [&](Index task, int) {
    last = task;
    if (task == 3) throw std::runtime_error("stop");
  };
  CHECK_THROWS_AS(pool.run(1000, fail_at_three), std::runtime_error);
  CHECK(last == 3);
}

TEST_CASE("a number of threads out of range is an argument error that names it") {
  CHECK_THROWS_WITH_AS(ThreadPool(0), doctest::Contains("is 0, but must be from 1"), ArgumentError);
  CHECK_THROWS_AS(ThreadPool(-3), ArgumentError);
  CHECK_THROWS_AS(ThreadPool(1025), ArgumentError);
}

}  // namespace
}  // namespace agpt::test
