#include "cpp/base/thread_pool.h"

#include <string>

#include "cpp/base/error.h"

namespace agpt {

ThreadPool::ThreadPool(int n_threads) {
  AGPT_REQUIRE(n_threads >= 1 && n_threads <= 1024,
               "the number of threads is " + std::to_string(n_threads) + ", but must be from 1 to 1024");
  for (int worker = 1; worker < n_threads; ++worker) threads_.emplace_back([this, worker] { work(worker); });
}

ThreadPool::~ThreadPool() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

void ThreadPool::run_tasks(Index n_tasks, const Task& body) {
  {
    std::lock_guard lock(mutex_);
    body_ = &body;
    n_tasks_ = n_tasks;
    next_ = 0;
    error_ = nullptr;
    busy_ = static_cast<int>(threads_.size());
    ++round_;
  }
  wake_.notify_all();
  take_tasks(0);
  std::unique_lock lock(mutex_);
  done_.wait(lock, [this] { return busy_ == 0; });
  body_ = nullptr;
  if (error_) std::rethrow_exception(std::exchange(error_, nullptr));
}

void ThreadPool::work(int worker) {
  uint64_t seen = 0;
  for (;;) {
    {
      std::unique_lock lock(mutex_);
      wake_.wait(lock, [&] { return stopping_ || round_ != seen; });
      if (stopping_) return;
      seen = round_;
    }
    take_tasks(worker);
    std::lock_guard lock(mutex_);
    if (--busy_ == 0) done_.notify_one();
  }
}

void ThreadPool::take_tasks(int worker) {
  for (Index task; (task = next_.fetch_add(1)) < n_tasks_;) {
    try {
      (*body_)(task, worker);
    } catch (...) {
      std::lock_guard lock(mutex_);
      if (!error_) error_ = std::current_exception();
      next_ = n_tasks_;
    }
  }
}

}  // namespace agpt
