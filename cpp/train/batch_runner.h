// Runs the batches of a step and sums their losses and gradients, with the same bits for every number of threads. In host
// memory threads compute: batches are dealt to a fixed number of gradient slots, and slots are added up in their order. For
// a device threads prepare: it takes joined batches in order, on one stream (cpp/train/batches_ahead.h).
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "cpp/base/thread_pool.h"
#include "cpp/train/batches_ahead.h"
#include "cpp/train/step_source.h"
#include "cpp/train/transformer.h"

namespace agpt {

/// Sums over the rows at one position index.
struct PositionTotals {
  double loss = 0;      ///< Sum of weighted cross-entropies, nats.
  Index positions = 0;  ///< Rows with targets.
};

/// Sums over the batches of a step.
struct BatchTotals {
  double loss = 0;              ///< Sum of weighted cross-entropies, nats.
  double weight = 0;            ///< Sum of weights.
  Index positions = 0;          ///< Rows with targets.
  Index rows = 0;               ///< Rows computed, ghosts included.
  double building_seconds = 0;  ///< Time of making the batches, of all threads; with a device that of waiting for them.
  double computing_seconds =
      0;  ///< Time of the passes over them, of all threads; with a device that of launching them.
  /// [p]: the rows at position index p, which see p + 1 tokens; empty unless asked for.
  std::vector<PositionTotals> by_position;

  void add(const BatchTotals& other);
  /// Adds what a batch says of itself, not its loss.
  void count(const RowBatch& batch);
};

/// Called now and then on the thread that asked for the work; throws to stop it.
using InterruptCheck = std::function<void()>;

template <class Real>
class BatchRunner {
 public:
  /// Lends its threads to the backend as long as it lives.
  BatchRunner(const ModelConfig& config, const ParameterTable& table, Backend<Real>& backend, int n_threads);
  ~BatchRunner() { backend_.use_threads(nullptr); }
  BatchRunner(const BatchRunner&) = delete;
  BatchRunner& operator=(const BatchRunner&) = delete;

  /// Threads that compute; with a device one, which feeds it.
  int n_workers() const { return static_cast<int>(workers_.size()); }

  /// Adds the gradient of the sum of losses to that of `state`; scale (tensors) multiplies what each tensor gets, empty
  /// is 1.
  BatchTotals run(const StepWork& work, TrainingState<Real>& state, std::span<const double> scale,
                  const InterruptCheck& check) {
    return run(work, &state, scale, 0, check);
  }

  /// The same for `work`, that of a step of a source which outlives the runner. The steps behind it are prepared for a
  /// device meanwhile.
  BatchTotals run_step(const StepSource& source, Index step, const StepWork& work, TrainingState<Real>& state,
                       const InterruptCheck& check);

  /// The stream whose running loss belongs to the last run and is not in its totals; null where they are complete.
  Stream<Real>* running_stream() { return ahead_ ? workers_.front().stream.get() : nullptr; }

  /// Only the losses, complete, and also apart for each position index below `n_positions`.
  BatchTotals run_by_position(const StepWork& work, Index n_positions, const InterruptCheck& check);

  /// Rows of a joined batch; 0 where batches are not joined.
  Index joined_rows() const { return joined_rows_; }

 private:
  struct Worker {
    std::unique_ptr<Stream<Real>> stream;
    std::unique_ptr<Transformer<Real>> transformer;
    RowBatch batch;
    std::vector<double> row_losses;
  };

  BatchTotals run(const StepWork& work, TrainingState<Real>* state, std::span<const double> scale, Index n_positions,
                  const InterruptCheck& check);
  /// Other works for ahead_; what the stream expected is none of them.
  void start_ahead(BatchesAhead::NextWork next_work);
  /// The next work of ahead_, on the one stream.
  BatchTotals take_joined(TrainingState<Real>* state, std::span<const double> scale, Index n_positions,
                          const InterruptCheck& check);
  void add(TrainingState<Real>& state, const Gradient<Real>& gradient, std::span<const double> scale) const;
  /// Builds the first batch of a work and from its size decides on tables of the first layer. Returns the time of building.
  double start_work(const StepWork& work);
  /// The batch with its tiles.
  void build(const StepWork& work, Index number, RowBatch& batch) const;
  BatchTotals run_slot(const StepWork& work, Index begin, Index end, Gradient<Real>* gradient, Index n_positions,
                       Worker& worker, const InterruptCheck& check);
  /// A batch: its gradient where asked for; otherwise its loss alone, by position where the totals are. A loss
  /// that is not by position stays in the running loss of the stream.
  void compute(Worker& worker, const RowBatch& batch, Gradient<Real>* gradient, BatchTotals& totals);

  const ParameterTable& table_;
  Backend<Real>& backend_;
  ThreadPool pool_;
  Index joined_rows_ = 0;
  FirstLayerTable<Real> first_layer_;
  std::vector<Worker> workers_;
  std::vector<std::unique_ptr<Gradient<Real>>> slots_;
  std::vector<const Gradient<Real>*> slot_gradients_;  // the same, for TrainingState::add
  std::vector<BatchTotals> sums_;                      // of the slots
  RowBatch first_batch_;                               // of the work at hand, until a slot takes it
  std::optional<BatchesAhead> ahead_;                  // where batches are joined
  // The step that ahead_ comes to next, if it is one.
  const StepSource* next_source_ = nullptr;
  Index next_step_ = 0;
};

}  // namespace agpt
