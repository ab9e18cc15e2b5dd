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
      runner_(model_, table_, *backend_, config.n_threads) {
  config_.optimizer.validate();
  config_.schedule.validate();
  AGPT_REQUIRE(static_cast<Index>(parameters.size()) == table_.size(),
               "the parameter buffer holds " + std::to_string(parameters.size()) + " numbers, but the model has " +
                   std::to_string(table_.size()));
  moments_.resize(static_cast<size_t>(n_moments(config_.optimizer.kind)) * parameters.size());
  gradient_.resize(parameters.size());
}

template <class Real>
void Trainer<Real>::send_parameters() {
  if (parameters_are_new_) backend_->set_parameters(parameters_);
  parameters_are_new_ = false;
}

template <class Real>
void Trainer<Real>::set_base_learning_rate(double base) {
  Schedule schedule = config_.schedule;
  schedule.base = base;
  schedule.validate();
  config_.schedule = schedule;
}

template <class Real>
double Trainer<Real>::normaliser(const BatchTotals& totals, Normalisation normalisation) {
  if (normalisation == Normalisation::step) return totals.weight;
  if (!mean_step_weight_) mean_step_weight_ = source_->pass_weight() / static_cast<double>(source_->steps_per_pass());
  return *mean_step_weight_;
}

template <class Real>
BatchTotals Trainer<Real>::normalised_gradient(const StepWork& work, Normalisation normalisation,
                                               std::span<double> flat, const InterruptCheck& check) {
  if (!work.chunks.empty()) return sum_of_chunk_means(runner_, table_, work, flat, check);
  const BatchTotals totals = runner_.run(work, flat, check);
  const double scale = 1 / normaliser(totals, normalisation);
  for (double& value : flat) value *= scale;
  return totals;
}

template <class Real>
StepReport Trainer<Real>::step(const InterruptCheck& check) {
  Stopwatch watch;
  send_parameters();
  const BatchTotals totals = normalised_gradient(source_->work(step_count_), config_.normalisation, gradient_, check);

  StepReport report;
  report.step = step_count_ + 1;
  report.loss = totals.loss / totals.weight;
  report.positions = totals.positions;
  report.weight = totals.weight;
  report.building_seconds = totals.building_seconds;
  report.computing_seconds = totals.computing_seconds;
  report.learning_rate = learning_rate();
  report.gradient_norm = l2_norm(gradient_);
  require_finite("loss", report.loss, report.step, report.learning_rate);
  require_finite("gradient", report.gradient_norm, report.step, report.learning_rate);

  const double limit = config_.optimizer.clip_norm;
  watch.lap();
  const double clip = limit > 0 && report.gradient_norm > limit ? limit / report.gradient_norm : 1;
  optimizer_step<Real>(config_.optimizer, table_, report.step, report.learning_rate, clip, gradient_, parameters_,
                       moments_);
  ++step_count_;
  parameters_are_new_ = true;
  report.update_seconds = watch.lap();
  report.seconds = watch.seconds();
  return report;
}

template <class Real>
double Trainer<Real>::gradient(std::span<double> flat, const InterruptCheck& check) {
  AGPT_REQUIRE(flat.size() == parameters_.size(), "the gradient buffer must have one number per parameter");
  send_parameters();
  const BatchTotals totals = normalised_gradient(source_->whole_pass(), Normalisation::step, flat, check);
  return totals.loss / totals.weight;
}

template <class Real>
BatchTotals Trainer<Real>::evaluate(const StepWork& work, Index n_positions, const InterruptCheck& check) {
  send_parameters();
  return runner_.run_by_position(work, n_positions, check);
}

template class Trainer<float>;
template class Trainer<double>;

}  // namespace agpt
