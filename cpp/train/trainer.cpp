#include "cpp/train/trainer.h"

#include <cmath>

#include "cpp/base/error.h"
#include "cpp/base/stopwatch.h"
#include "cpp/train/chunk_means.h"

namespace agpt {
namespace {

void require_finite(const char* what, double value, Index step, double learning_rate) {
  if (!std::isfinite(value))
    throw NonFiniteError(
        std::string("the ") + what + " of step " + std::to_string(step) + " is not a finite number (learning rate " +
        std::to_string(learning_rate) +
        "): the parameters before the step are unchanged; lower the learning rate or clip the gradient");
}

}  // namespace

template <class Real>
Trainer<Real>::Trainer(const ModelConfig& model, const TrainerConfig& config, std::shared_ptr<StepSource> source,
                       std::unique_ptr<Backend<Real>> backend, std::span<Real> parameters)
    : model_(model),
      table_(model_),
      config_(config),
      source_(std::move(source)),
      parameters_(parameters),
      backend_(std::move(backend)),
      moments_(static_cast<size_t>(n_moments(config.optimizer.kind)) * parameters.size()),
      gradient_(parameters.size()),
      state_(backend_->make_training_state({parameters_, moments_, gradient_})),
      runner_(model_, table_, *backend_, config.n_threads) {
  config_.optimizer.validate();
  config_.schedule.validate();
  AGPT_REQUIRE(static_cast<Index>(parameters.size()) == table_.size(),
               "the parameter buffer holds " + std::to_string(parameters.size()) + " numbers, but the model has " +
                   std::to_string(table_.size()));
}

template <class Real>
void Trainer<Real>::send_changes() {
  if (parameters_are_new_ || state_->is_in_place()) state_->send_parameters();
  if (moments_are_new_) state_->send_moments();
  parameters_are_new_ = moments_are_new_ = false;
}

template <class Real>
std::span<Real> Trainer<Real>::moments() {
  if (!moments_are_new_) state_->fetch_moments();
  moments_are_new_ = true;
  return moments_;
}

template <class Real>
std::span<double> Trainer<Real>::last_gradient() {
  if (!gradient_is_fetched_) state_->fetch_gradient();
  gradient_is_fetched_ = true;
  return gradient_;
}

template <class Real>
void Trainer<Real>::set_base_learning_rate(double base) {
  Schedule schedule = config_.schedule;
  schedule.base = base;
  schedule.validate();
  config_.schedule = schedule;
}

template <class Real>
double Trainer<Real>::normaliser(const StepWork& work, const BatchTotals& totals) {
  if (!work.chunks.empty()) return 1;
  if (config_.normalisation == Normalisation::step) return totals.weight;
  if (!mean_step_weight_) mean_step_weight_ = source_->pass_weight() / static_cast<double>(source_->steps_per_pass());
  return *mean_step_weight_;
}

template <class Real>
StepReport Trainer<Real>::step(const InterruptCheck& check) {
  Stopwatch watch;
  send_changes();
  gradient_is_fetched_ = false;
  const StepWork work = source_->work(step_count_);
  state_->clear_gradient();
  const BatchTotals totals = work.chunks.empty() ? runner_.run_step(*source_, step_count_, work, *state_, check)
                                                 : sum_of_chunk_means(runner_, table_, work, *state_, check);
  StepReport report;
  report.step = step_count_ + 1;
  report.positions = totals.positions;
  report.weight = totals.weight;
  report.building_seconds = totals.building_seconds;
  report.computing_seconds = totals.computing_seconds;
  report.learning_rate = learning_rate();
  watch.lap();
  const UpdateResult result =
      state_->update(config_.optimizer, {report.step, report.learning_rate, totals.weight, normaliser(work, totals)},
                     totals.loss, runner_.running_stream());
  report.loss = result.loss;
  report.gradient_norm = result.gradient_norm;
  require_finite("loss", report.loss, report.step, report.learning_rate);
  require_finite("gradient", report.gradient_norm, report.step, report.learning_rate);
  ++step_count_;
  report.update_seconds = watch.lap();
  report.seconds = watch.seconds();
  return report;
}

template <class Real>
double Trainer<Real>::gradient(std::span<double> flat, const InterruptCheck& check) {
  AGPT_REQUIRE(flat.size() == parameters_.size(), "the gradient buffer must have one number per parameter");
  send_changes();
  const StepWork work = source_->whole_pass();
  const auto state = backend_->make_training_state({parameters_, {}, flat});
  state->clear_gradient();
  const BatchTotals totals = work.chunks.empty() ? runner_.run(work, *state, {}, check)
                                                 : sum_of_chunk_means(runner_, table_, work, *state, check);
  const double running = runner_.running_stream() == nullptr ? 0 : runner_.running_stream()->take_loss();
  state->fetch_gradient();
  const double scale = work.chunks.empty() ? 1 / totals.weight : 1;
  for (double& value : flat) value *= scale;
  return (totals.loss + running) / totals.weight;
}

template <class Real>
BatchTotals Trainer<Real>::evaluate(const StepWork& work, Index n_positions, const InterruptCheck& check) {
  send_changes();
  return runner_.run_by_position(work, n_positions, check);
}

template class Trainer<float>;
template class Trainer<double>;

}  // namespace agpt
