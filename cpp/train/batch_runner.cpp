#include "cpp/train/batch_runner.h"

#include <algorithm>
#include <utility>

#include "cpp/base/denormals.h"
#include "cpp/base/stopwatch.h"
#include "cpp/train/activation_memory.h"

namespace agpt {
namespace {

// A slot sums this many batches in the engine's precision before it goes into the double sum.
constexpr Index kBatchesPerSlot = 64;
// Slots bound how many threads can work at a time, and cost a clear and a sum each; neither number depends on the
// threads.
constexpr Index kMostSlots = 32, kFewSlots = 8;

const InterruptCheck kNoCheck;

// How many slots the next `n_batches` are dealt to.
Index slots_for(Index n_batches) {
  if (n_batches <= 64) return std::min(n_batches, kFewSlots);
  return std::min(kMostSlots, (n_batches + 7) / 8);
}

}  // namespace

template <class Real>
BatchRunner<Real>::BatchRunner(const ModelConfig& config, const ParameterTable& table, Backend<Real>& backend,
                               int n_threads)
    : table_(table), backend_(backend), pool_(backend.max_streams(n_threads)), first_layer_(config, table, backend) {
  backend.use_threads(&pool_);
  if (backend.joined_rows() > 0) {
    slots_.push_back(backend.make_gradient());
    joined_rows_ = joined_batch_rows(config, backend);
  }
  for (int w = 0; w < pool_.size(); ++w) {
    Worker worker;
    worker.stream = backend.make_stream();
    worker.transformer = std::make_unique<Transformer<Real>>(config, table, *worker.stream, &first_layer_);
    workers_.push_back(std::move(worker));
  }
  if (joined_rows_ > 0) ahead_.emplace(n_threads, joined_rows_, backend.tile_rows());
}

void BatchTotals::add(const BatchTotals& other) {
  loss += other.loss;
  weight += other.weight;
  positions += other.positions;
  rows += other.rows;
  building_seconds += other.building_seconds;
  computing_seconds += other.computing_seconds;
  by_position.resize(std::max(by_position.size(), other.by_position.size()));
  for (size_t p = 0; p < other.by_position.size(); ++p) {
    by_position[p].loss += other.by_position[p].loss;
    by_position[p].positions += other.by_position[p].positions;
  }
}

void BatchTotals::count(const RowBatch& batch) {
  weight += batch.total_weight;
  positions += batch.n_positions;
  rows += batch.n_rows();
}

template <class Real>
BatchTotals BatchRunner<Real>::run(const StepWork& work, TrainingState<Real>* state, std::span<const double> scale,
                                   Index n_positions, const InterruptCheck& check) {
  if (ahead_) {
    next_source_ = nullptr;
    start_ahead([&work, given = false]() mutable -> std::optional<StepWork> {
      return std::exchange(given, true) ? std::nullopt : std::optional(work);
    });
    return take_joined(state, scale, n_positions, check);
  }
  BatchTotals totals;
  totals.building_seconds = start_work(work);
  for (Index first = 0; first < work.n_batches;) {
    const Index n_slots = slots_for(work.n_batches - first);
    const Index n_batches = std::min(work.n_batches - first, n_slots * kBatchesPerSlot);
    while (state != nullptr && static_cast<Index>(slots_.size()) < n_slots) {
      slots_.push_back(backend_.make_gradient());
      slot_gradients_.push_back(slots_.back().get());
    }
    sums_.assign(static_cast<size_t>(n_slots), BatchTotals());
    pool_.run(n_slots, [&](Index slot, int worker) {
      const Index begin = first + slot * n_batches / n_slots, end = first + (slot + 1) * n_batches / n_slots;
      Gradient<Real>* into = state == nullptr ? nullptr : slots_[static_cast<size_t>(slot)].get();
      sums_[static_cast<size_t>(slot)] = run_slot(
          work, begin, end, into, n_positions, workers_[static_cast<size_t>(worker)], worker == 0 ? check : kNoCheck);
    });
    for (const BatchTotals& sum : sums_) totals.add(sum);
    if (state != nullptr) {
      const auto gradients =
          std::span<const Gradient<Real>* const>(slot_gradients_).first(static_cast<size_t>(n_slots));
      first_layer_.finish(gradients, *slots_.front());
      pool_.run(static_cast<Index>(table_.parameters().size()), [&](Index tensor, int) {
        const double factor = scale.empty() ? 1 : scale[static_cast<size_t>(tensor)];
        state->add(gradients, static_cast<int>(tensor), static_cast<int>(tensor) + 1, factor);
      });
    }
    first += n_batches;
  }
  return totals;
}

template <class Real>
double BatchRunner<Real>::start_work(const StepWork& work) {
  const FlushDenormals flush;
  first_batch_.clear();
  if (work.n_batches == 0) return 0;
  Stopwatch watch;
  build(work, 0, first_batch_);
  const double seconds = watch.lap();
  first_layer_.start(work.n_batches * first_batch_.n_rows());
  return seconds;
}

template <class Real>
void BatchRunner<Real>::build(const StepWork& work, Index number, RowBatch& batch) const {
  batch.clear();
  work.build(number, batch);
  build_tiles(batch, backend_.tile_rows());
}

template <class Real>
BatchTotals BatchRunner<Real>::run_step(const StepSource& source, Index step, const StepWork& work,
                                        TrainingState<Real>& state, const InterruptCheck& check) {
  if (!ahead_) return run(work, state, {}, check);
  if (next_source_ != &source || next_step_ != step)
    start_ahead([&source, next = step]() mutable { return std::optional(source.work(next++)); });
  next_source_ = nullptr;  // should this step fail
  const BatchTotals totals = take_joined(&state, {}, 0, check);
  next_source_ = &source;
  next_step_ = step + 1;
  if (const RowBatch* const next = ahead_->next_batch()) {  // while the device computes
    const BatchView view = view_of(*next);
    workers_.front().stream->expect(&view);
  }
  return totals;
}

template <class Real>
void BatchRunner<Real>::start_ahead(BatchesAhead::NextWork next_work) {
  workers_.front().stream->expect(nullptr);
  ahead_->start(std::move(next_work));
}

template <class Real>
BatchTotals BatchRunner<Real>::run_by_position(const StepWork& work, Index n_positions, const InterruptCheck& check) {
  BatchTotals totals = run(work, nullptr, {}, n_positions, check);
  if (running_stream() != nullptr) totals.loss += running_stream()->take_loss();
  return totals;
}

template <class Real>
BatchTotals BatchRunner<Real>::take_joined(TrainingState<Real>* state, std::span<const double> scale, Index n_positions,
                                           const InterruptCheck& check) {
  BatchTotals totals;
  totals.by_position.resize(static_cast<size_t>(n_positions));
  Worker& worker = workers_.front();
  Gradient<Real>* gradient = state == nullptr ? nullptr : slots_.front().get();
  Stopwatch watch;
  try {
    ahead_->take_work([&](const RowBatch& batch) {
      if (check) check();
      totals.building_seconds += watch.lap();
      if (gradient != nullptr) gradient->clear();
      compute(worker, batch, gradient, totals);
      if (gradient != nullptr) add(*state, *gradient, scale);
      totals.count(batch);
      totals.computing_seconds += watch.lap();
    });
  } catch (...) {
    worker.stream->expect(nullptr);
    worker.stream->take_loss();  // it belongs to no step
    throw;
  }
  return totals;
}

template <class Real>
void BatchRunner<Real>::add(TrainingState<Real>& state, const Gradient<Real>& gradient,
                            std::span<const double> scale) const {
  const auto n_tensors = static_cast<int>(table_.parameters().size());
  if (scale.empty()) return state.add(gradient, 0, n_tensors, 1);
  for (int tensor = 0; tensor < n_tensors; ++tensor)
    state.add(gradient, tensor, tensor + 1, scale[static_cast<size_t>(tensor)]);
}

template <class Real>
BatchTotals BatchRunner<Real>::run_slot(const StepWork& work, Index begin, Index end, Gradient<Real>* gradient,
                                        Index n_positions, Worker& worker, const InterruptCheck& check) {
  const FlushDenormals flush;
  BatchTotals totals;
  totals.by_position.resize(static_cast<size_t>(n_positions));
  if (gradient != nullptr) gradient->clear();
  worker.stream->take_loss();  // of a step that was interrupted
  Stopwatch watch;
  for (Index number = begin; number < end; ++number) {
    if (check) check();
    RowBatch& batch = worker.batch;
    if (number == 0) {
      std::swap(batch, first_batch_);
    } else {
      build(work, number, batch);
      totals.building_seconds += watch.lap();
    }
    if (batch.n_rows() == 0) continue;
    compute(worker, batch, gradient, totals);
    totals.count(batch);
    totals.computing_seconds += watch.lap();
  }
  totals.loss += worker.stream->take_loss();
  return totals;
}

template <class Real>
void BatchRunner<Real>::compute(Worker& worker, const RowBatch& batch, Gradient<Real>* gradient, BatchTotals& totals) {
  if (gradient != nullptr) return worker.transformer->add_loss_and_gradient(batch, *gradient);
  if (totals.by_position.empty()) return worker.transformer->add_loss(batch);
  worker.transformer->row_losses(batch, worker.row_losses);
  double sum = 0;
  for (size_t row = 0; row < worker.row_losses.size(); ++row) {
    sum += worker.row_losses[row];
    const auto p = static_cast<size_t>(batch.position[row]);
    if (batch.weight[row] == 0 || p >= totals.by_position.size()) continue;
    totals.by_position[p].loss += worker.row_losses[row];
    ++totals.by_position[p].positions;
  }
  totals.loss += sum;
}

template class BatchRunner<float>;
template class BatchRunner<double>;

}  // namespace agpt
