#include "cpp/train/batches_ahead.h"

#include <algorithm>

namespace agpt {
namespace {

// More threads than this would need more memory than time: a thread builds some ten million rows a second.
constexpr int kMostThreads = 16;

// What batches are joined to, of the most that they may have: batches differ, and a rest would be a batch of its own.
constexpr double kFill = 0.9;

// Rows of a batch of the work, in the mean of a few.
double mean_rows(const StepWork& work) {
  constexpr Index kSample = 4;
  const Index n = std::min(work.n_batches, kSample);
  Index rows = 0;
  RowBatch batch;
  for (Index i = 0; i < n; ++i) {
    batch.clear();
    work.build(i * work.n_batches / n, batch);
    rows += batch.n_rows();
  }
  return n == 0 ? 1 : std::max(1.0, static_cast<double>(rows) / static_cast<double>(n));
}

}  // namespace

BatchesAhead::BatchesAhead(int n_threads, Index joined_rows, int tile_rows)
    : joined_rows_(joined_rows), tile_rows_(tile_rows) {
  const int n = std::clamp(n_threads, 1, kMostThreads);
  for (int i = 0; i < n + 1; ++i) groups_.push_back(std::make_unique<Group>());
  for (int i = 0; i < n; ++i) threads_.emplace_back([this] { prepare_tasks(); });
}

BatchesAhead::~BatchesAhead() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  has_place_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

void BatchesAhead::start(NextWork next_work) {
  drop();
  {
    const std::lock_guard lock(mutex_);
    next_work_ = std::move(next_work);
  }
  has_place_.notify_all();
}

void BatchesAhead::drop() {
  std::unique_lock lock(mutex_);
  next_work_ = nullptr;
  work_ = nullptr;
  next_group_ = n_groups_ = 0;
  is_ready_.wait(lock, [&] { return busy_ == 0; });
  n_given_ = n_taken_ = 0;
  for (const auto& group : groups_) group->is_ready = false;
}

void BatchesAhead::take_work(const std::function<void(const RowBatch&)>& take) {
  try {
    for (bool ended = false; !ended;) {
      Group* taken = nullptr;
      {
        std::unique_lock lock(mutex_);
        taken = &group(n_taken_);
        is_ready_.wait(lock, [&] { return taken->is_ready; });
      }
      if (taken->error) std::rethrow_exception(taken->error);
      for (size_t i = 0; i < taken->n_batches; ++i)
        if (taken->batches[i].n_rows() > 0) take(taken->batches[i]);
      ended = taken->ends_work;
      {
        const std::lock_guard lock(mutex_);
        taken->is_ready = false;
        ++n_taken_;
      }
      has_place_.notify_one();
    }
  } catch (...) {
    drop();
    throw;
  }
}

const RowBatch* BatchesAhead::next_batch() {
  const std::lock_guard lock(mutex_);
  const Group& next = group(n_taken_);
  if (!next.is_ready || next.error) return nullptr;
  const auto end = next.batches.begin() + static_cast<std::ptrdiff_t>(next.n_batches);
  const auto found = std::find_if(next.batches.begin(), end, [](const RowBatch& batch) { return batch.n_rows() > 0; });
  return found == end ? nullptr : &*found;
}

void BatchesAhead::prepare_tasks() {
  std::unique_lock lock(mutex_);
  while (true) {
    has_place_.wait(lock, [&] { return stopping_ || has_place(); });
    if (stopping_) return;
    const std::optional<Task> task = next_task();
    if (!task) continue;
    ++busy_;
    lock.unlock();
    join(*task);
    lock.lock();
    --busy_;
    task->group->is_ready = true;
    is_ready_.notify_all();
  }
}

std::optional<BatchesAhead::Task> BatchesAhead::next_task() {
  Group& place = group(n_given_);
  place.error = nullptr;
  place.n_batches = 0;
  try {
    if (next_group_ == n_groups_) start_next_work();
  } catch (...) {
    place.error = std::current_exception();
    next_work_ = nullptr;
  }
  if (!place.error && !work_) return std::nullopt;
  ++n_given_;
  if (place.error) return Task{nullptr, 0, 0, &place};
  const Index n = work_->n_batches, number = next_group_++;
  place.ends_work = next_group_ == n_groups_;
  return Task{work_, number * n / n_groups_, (number + 1) * n / n_groups_, &place};
}

void BatchesAhead::start_next_work() {
  work_ = nullptr;
  std::optional<StepWork> work = next_work_();
  if (!work) {
    next_work_ = nullptr;
    return;
  }
  const double rows = mean_rows(*work) * static_cast<double>(work->n_batches);
  const auto n_groups = static_cast<Index>(rows / (kFill * static_cast<double>(joined_rows_))) + 1;
  n_groups_ = std::clamp<Index>(n_groups, 1, std::max<Index>(1, work->n_batches));
  next_group_ = 0;
  work_ = std::make_shared<const StepWork>(std::move(*work));
}

void BatchesAhead::join(const Task& task) const {
  Group& group = *task.group;
  if (group.error) return;
  const auto next_batch = [&]() -> RowBatch& {
    if (group.n_batches == group.batches.size()) group.batches.emplace_back();
    RowBatch& batch = group.batches[group.n_batches++];
    batch.clear();
    return batch;
  };
  try {
    RowBatch* batch = &next_batch();
    for (Index i = task.begin; i < task.end; ++i) {
      if (batch->n_rows() >= joined_rows_) batch = &next_batch();
      task.work->build(i, *batch);
    }
    for (size_t i = 0; i < group.n_batches; ++i) build_tiles(group.batches[i], tile_rows_);
  } catch (...) {
    group.error = std::current_exception();
  }
}

}  // namespace agpt
