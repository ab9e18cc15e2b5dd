// A fixed set of threads that take numbered tasks. Idle threads sleep: nothing spins, because on a shared machine a
// spinning thread takes the core from the one that has work.
#pragma once

#include <atomic>
#include <condition_variable>
#include <exception>
#include <functional>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include "cpp/base/types.h"

namespace agpt {

class ThreadPool {
 public:
  /// `n_threads` workers in all; the caller of run() is one of them. Throws ArgumentError if n_threads < 1.
  explicit ThreadPool(int n_threads);
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  int size() const { return static_cast<int>(threads_.size()) + 1; }

  /// Calls body(task, worker) once for every task in [0, n_tasks), worker in [0, size()), and returns when all are
  /// done. Tasks are handed out in order, to whichever worker is free. The first exception of a task is thrown here
  /// again after the others have ended; tasks not yet begun are then dropped.
  template <class Body>
  void run(Index n_tasks, Body&& body) {
    run_tasks(n_tasks, std::ref(body));  // a reference fits into a function: no memory is taken
  }

 private:
  using Task = std::function<void(Index task, int worker)>;
  void run_tasks(Index n_tasks, const Task& body);
  void work(int worker);
  void take_tasks(int worker);

  std::vector<std::thread> threads_;
  std::mutex mutex_;
  std::condition_variable wake_, done_;
  uint64_t round_ = 0;
  int busy_ = 0;
  bool stopping_ = false;
  const Task* body_ = nullptr;
  Index n_tasks_ = 0;
  std::atomic<Index> next_{0};
  std::exception_ptr error_;
};

}  // namespace agpt
