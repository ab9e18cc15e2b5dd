// The training loop's one step: gradient of what the source says, clipping, learning rate, optimizer, checks.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>

#include "cpp/backend/optimizer.h"
#include "cpp/train/batch_runner.h"
#include "cpp/train/schedule.h"

namespace agpt {

/// step: gradients are divided by the step's total weight. pass: by the mean weight of a step of the pass, so that the
/// steps of a pass keep their relative weights.
enum class Normalisation { step, pass };

struct TrainerConfig {
  OptimizerConfig optimizer;
  Schedule schedule;
  Normalisation normalisation = Normalisation::step;
  int n_threads = 1;
  BackendOptions backend;  ///< What the trainer's backend was, or is to be, made with.
};

struct StepReport {
  Index step = 0;       ///< Number of this step, from 1.
  double loss = 0;      ///< Mean weighted cross-entropy before the update, nats.
  Index positions = 0;  ///< Rows with targets.
  double weight = 0;    ///< Sum of their weights.
  double learning_rate = 0;
  double gradient_norm = 0;  ///< L2 norm of the normalised gradient before clipping.
  double seconds = 0;        ///< Wall-clock time of the step.
  /// Parts of it: making the batches and the passes over them, of all threads together; the update.
  double building_seconds = 0, computing_seconds = 0, update_seconds = 0;
};

/// Trains parameters that the caller owns; they are read and written in place.
template <class Real>
class Trainer {
 public:
  /// backend: made for model_shape(model). parameters: the flat buffer, which must outlive the trainer.
  Trainer(const ModelConfig& model, const TrainerConfig& config, std::shared_ptr<StepSource> source,
          std::unique_ptr<Backend<Real>> backend, std::span<Real> parameters);

  /// One optimizer step. Throws NonFiniteError, with the parameters unchanged, when the loss or the gradient is not
  /// finite.
  StepReport step(const InterruptCheck& check);

  /// Mean loss over the whole pass and its gradient (flat, size of the parameters), without an update.
  double gradient(std::span<double> flat, const InterruptCheck& check);

  /// Losses over all batches of another work, without an update; also apart for the position indices below
  /// `n_positions`.
  BatchTotals evaluate(const StepWork& work, Index n_positions, const InterruptCheck& check);

  /// Call after the parameters were changed from outside, where updates are not in place.
  void parameters_changed() { parameters_are_new_ = true; }

  const StepSource& source() const { return *source_; }
  std::string backend_description() const { return backend_->description(); }
  /// Threads whose time the parts of a step's seconds sum up.
  int n_workers() const { return runner_.n_workers(); }
  const Schedule& schedule() const { return config_.schedule; }
  void set_base_learning_rate(double base);
  /// Of the next step: the schedule's times the factor of what the step covers.
  double learning_rate() const { return schedule().learning_rate(step_count_) * source_->rate_factor(step_count_); }

  /// The normalised gradient of the last step, before clipping (flat, size of the parameters); 0 before the first step.
  std::span<double> last_gradient();

  /// Steps done. Setting it (with the moments) is what resuming means.
  Index step_count() const { return step_count_; }
  void set_step_count(Index count) { step_count_ = count; }
  /// The optimizer's moments, n_moments() buffers of the size of the parameters; they may be written to until the next
  /// step.
  std::span<Real> moments();

  /// Whether the caller's parameters are always those of the last step. Where not, as on a device, fetch_parameters()
  /// makes them so.
  bool updates_in_place() const { return state_->is_in_place(); }
  void fetch_parameters() { state_->fetch_parameters(); }
  DeviceStatistics device_statistics() const { return backend_->statistics(); }
  /// Rows up to which a device's batches are joined; 0 where they are not.
  Index joined_rows() const { return runner_.joined_rows(); }

 private:
  void send_changes();
  /// What the sum of the work's gradients is divided by.
  double normaliser(const StepWork& work, const BatchTotals& totals);

  const ModelConfig model_;
  const ParameterTable table_;
  TrainerConfig config_;
  std::shared_ptr<StepSource> source_;
  std::span<Real> parameters_;
  std::unique_ptr<Backend<Real>> backend_;
  std::vector<Real> moments_;
  std::vector<double> gradient_;
  std::unique_ptr<TrainingState<Real>> state_;
  BatchRunner<Real> runner_;  // the last to be made: its batches take what memory is left
  std::optional<double> mean_step_weight_;
  Index step_count_ = 0;
  bool parameters_are_new_ = true, moments_are_new_ = true, gradient_is_fetched_ = true;
};

}  // namespace agpt
