#include "cpp/backend/optimizer.h"

#include <doctest/doctest.h>

#include <cmath>

#include "cpp/base/error.h"
#include "cpp/train/schedule.h"
#include "tests/cpp/train/model_cases.h"

namespace agpt::test {
namespace {

/// One parameter through `steps` steps with the gradients sin(1), sin(2), ..., by the formulas of the header.
double scalar_optimizer(const OptimizerConfig& config, double p, int steps, double rate, bool decays) {
  double m = 0, v = 0;
  for (int t = 1; t <= steps; ++t) {
    const double g = std::sin(t);
    double move = 0;
    switch (config.kind) {
      case OptimizerKind::sgd:
        move = g;
        break;
      case OptimizerKind::momentum:
        move = m = config.beta1 * m + g;
        break;
      case OptimizerKind::adam:
        m = config.beta1 * m + (1 - config.beta1) * g;
        v = config.beta2 * v + (1 - config.beta2) * g * g;
        move = m / (1 - std::pow(config.beta1, t)) / (std::sqrt(v / (1 - std::pow(config.beta2, t))) + config.epsilon);
        break;
      case OptimizerKind::rmsprop:
      case OptimizerKind::rmsprop_corrected:
        v = config.beta2 * v + (1 - config.beta2) * g * g;
        move = g / (std::sqrt(config.kind == OptimizerKind::rmsprop ? v : v / (1 - std::pow(config.beta2, t))) +
                    config.epsilon);
        break;
    }
    p -= rate * move;
    if (decays) p -= rate * config.weight_decay * p;
  }
  return p;
}

TEST_CASE("each optimizer follows its formula, and weight decay spares vectors unless asked") {
  const ModelConfig model = small_config({8});
  const ParameterTable table(model);
  const std::vector<TensorShape> tensors = model_shape(model, table).tensors;
  for (const OptimizerKind kind : {OptimizerKind::sgd, OptimizerKind::momentum, OptimizerKind::adam,
                                   OptimizerKind::rmsprop, OptimizerKind::rmsprop_corrected})
    for (const double decay : {0.0, 0.1})
      for (const bool decay_vectors : {false, true}) {
        OptimizerConfig config;
        config.kind = kind;
        config.weight_decay = decay;
        config.decay_vectors = decay_vectors;
        std::vector<double> parameters(static_cast<size_t>(table.size()), 0.7), gradient(parameters.size());
        std::vector<double> moments(parameters.size() * static_cast<size_t>(n_moments(kind)));
        for (int t = 1; t <= 5; ++t) {
          std::fill(gradient.begin(), gradient.end(), 4 * std::sin(t));
          const OptimizerStep<double> step(config, t, 0.01, 0.25, gradient, parameters, moments);
          for (const TensorShape& tensor : tensors) step.update(tensor);
        }
        for (const Parameter& parameter : table.parameters())
          CHECK(parameters[static_cast<size_t>(parameter.offset)] ==
                doctest::Approx(scalar_optimizer(config, 0.7, 5, 0.01, decay_vectors || !parameter.is_vector))
                    .epsilon(1e-12));
      }
}

TEST_CASE("schedules start, turn and end where they say") {
  Schedule schedule;
  schedule.base = 2;
  schedule.total_steps = 100;
  CHECK(schedule.learning_rate(57) == 2);
  schedule.kind = ScheduleKind::cosine;
  CHECK(schedule.learning_rate(0) == 2);
  CHECK(schedule.learning_rate(50) == doctest::Approx(1));
  CHECK(schedule.learning_rate(100) == doctest::Approx(0));
  CHECK(schedule.learning_rate(1000) == doctest::Approx(0));
  schedule.kind = ScheduleKind::linear;
  schedule.min_ratio = 0.1;
  CHECK(schedule.learning_rate(50) == doctest::Approx(2 * 0.55));
  CHECK(schedule.learning_rate(100) == doctest::Approx(0.2));
  schedule.warmup_steps = 10;
  CHECK(schedule.learning_rate(0) == doctest::Approx(0.2));
  CHECK(schedule.learning_rate(9) == doctest::Approx(2));
  CHECK(schedule.learning_rate(10) == doctest::Approx(2));
  CHECK(schedule.learning_rate(55) == doctest::Approx(2 * 0.55));
}

TEST_CASE("numbers out of range are refused") {
  OptimizerConfig optimizer;
  optimizer.beta1 = 1;
  CHECK_THROWS_AS(optimizer.validate(), ArgumentError);
  optimizer = {};
  optimizer.clip_norm = -1;
  CHECK_THROWS_AS(optimizer.validate(), ArgumentError);
  Schedule schedule;
  schedule.base = 0;
  CHECK_THROWS_AS(schedule.validate(), ArgumentError);
}

}  // namespace
}  // namespace agpt::test
