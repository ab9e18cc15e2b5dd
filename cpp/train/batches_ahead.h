// Large batches for a device, prepared on threads of the host while the device computes the ones before.
#pragma once

#include <condition_variable>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "cpp/train/step_source.h"

namespace agpt {

/// Joins consecutive batches of a work until they have about `joined_rows` rows. Which batches are joined depends on the
/// work alone, so sums over them repeat whatever the number of threads; memory is that of a fixed number of batches.
class BatchesAhead {
 public:
  /// The works to prepare, one after another; nothing behind the last. Called from any thread, one call at a time.
  using NextWork = std::function<std::optional<StepWork>()>;

  BatchesAhead(int n_threads, Index joined_rows, int tile_rows);
  ~BatchesAhead();
  BatchesAhead(const BatchesAhead&) = delete;
  BatchesAhead& operator=(const BatchesAhead&) = delete;

  /// Begins with other works; what was prepared of those before is dropped.
  void start(NextWork next_work);

  /// Calls take(batch), on the caller's thread and in order, for all batches of the next work, with tiles; batches
  /// without rows are left out. What is thrown on the way, by take() too, drops all that was prepared.
  void take_work(const std::function<void(const RowBatch& batch)>& take);

  /// The batch that take_work() will begin with, if it is ready; null otherwise. It stays until then, or until start().
  const RowBatch* next_batch();

 private:
  /// The batches of a work that one thread joins: one batch, or more where it became too large.
  struct Group {
    std::vector<RowBatch> batches;
    size_t n_batches = 0;
    bool is_ready = false, ends_work = false;
    std::exception_ptr error;
  };
  /// Which batches of a work a thread is to join.
  struct Task {
    std::shared_ptr<const StepWork> work;
    Index begin = 0, end = 0;
    Group* group = nullptr;
  };

  void prepare_tasks();
  bool has_place() const { return next_work_ && n_given_ - n_taken_ < groups_.size(); }
  /// The next task, or nothing where the works have come to their end. Holds the lock.
  std::optional<Task> next_task();
  void start_next_work();
  void join(const Task& task) const;
  Group& group(size_t number) { return *groups_[number % groups_.size()]; }
  void drop();

  const Index joined_rows_;
  const int tile_rows_;
  std::mutex mutex_;
  std::condition_variable has_place_, is_ready_;
  bool stopping_ = false;
  NextWork next_work_;                    // empty where nothing is to be prepared
  std::shared_ptr<const StepWork> work_;  // that groups are being dealt of
  Index next_group_ = 0, n_groups_ = 0;   // of the work
  size_t n_given_ = 0, n_taken_ = 0, busy_ = 0;
  std::vector<std::unique_ptr<Group>> groups_;  // group i is at place i modulo their number
  std::vector<std::thread> threads_;
};

}  // namespace agpt
