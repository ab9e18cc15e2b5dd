#include "cpp/backend/optimizer.h"

#include <cmath>
#include <string>

#include "cpp/base/error.h"

namespace agpt {
namespace {

void require_number(const char* what, double value, double least, double below) {
  AGPT_REQUIRE(value >= least && value < below, std::string(what) + " is " + std::to_string(value) +
                                                    ", but must be at least " + std::to_string(least) + " and below " +
                                                    std::to_string(below));
}

template <class Real>
struct TensorStep {
  std::span<const double> gradient;
  Real* parameters;
  Real* first;  // null where the optimizer keeps none
  Real* second;
  double scale;
  Real learning_rate, decay;
};

// The kind is a template argument so that the loop has no branch and the compiler vectorises it (with -fno-math-errno,
// or every square root is a call).
template <OptimizerKind kind, class Real>
void update_tensor(const OptimizerConfig& config, const TensorStep<Real>& step, Real correction1, Real correction2) {
  const auto n = static_cast<Index>(step.gradient.size());
  const Real beta1 = static_cast<Real>(config.beta1), beta2 = static_cast<Real>(config.beta2),
             epsilon = static_cast<Real>(config.epsilon), rate = step.learning_rate, keep = 1 - rate * step.decay;
  const double scale = step.scale;
  const double* __restrict gradient = step.gradient.data();
  Real* __restrict parameters = step.parameters, * __restrict first = step.first, * __restrict second = step.second;
  for (Index i = 0; i < n; ++i) {
    const Real g = static_cast<Real>(gradient[i] * scale);
    Real move = g;
    if constexpr (kind == OptimizerKind::momentum) {
      move = first[i] = beta1 * first[i] + g;
    } else if constexpr (kind != OptimizerKind::sgd) {
      const Real v = second[i] = beta2 * second[i] + (1 - beta2) * g * g;
      if constexpr (kind == OptimizerKind::adam) move = first[i] = beta1 * first[i] + (1 - beta1) * g;
      move = move * correction1 / (std::sqrt(v * correction2) + epsilon);
    }
    parameters[i] = (parameters[i] - rate * move) * keep;
  }
}

template <class Real>
void update_tensor(const OptimizerConfig& config, const TensorStep<Real>& step, Real correction1, Real correction2) {
  switch (config.kind) {
    case OptimizerKind::sgd:
      return update_tensor<OptimizerKind::sgd>(config, step, correction1, correction2);
    case OptimizerKind::momentum:
      return update_tensor<OptimizerKind::momentum>(config, step, correction1, correction2);
    case OptimizerKind::adam:
      return update_tensor<OptimizerKind::adam>(config, step, correction1, correction2);
    case OptimizerKind::rmsprop:
    case OptimizerKind::rmsprop_corrected:
      return update_tensor<OptimizerKind::rmsprop>(config, step, Real{1}, correction2);
  }
}

}  // namespace

void OptimizerConfig::validate() const {
  require_number("beta1", beta1, 0, 1);
  require_number("beta2", beta2, 0, 1);
  AGPT_REQUIRE(epsilon >= 0 && std::isfinite(epsilon), "epsilon must be a number of at least 0");
  AGPT_REQUIRE(weight_decay >= 0 && std::isfinite(weight_decay), "weight_decay must be a number of at least 0");
  AGPT_REQUIRE(clip_norm >= 0 && std::isfinite(clip_norm), "clip_norm must be a number of at least 0 (0 is off)");
}

int n_moments(OptimizerKind kind) {
  switch (kind) {
    case OptimizerKind::sgd:
      return 0;
    case OptimizerKind::momentum:
    case OptimizerKind::rmsprop:
    case OptimizerKind::rmsprop_corrected:
      return 1;
    case OptimizerKind::adam:
      break;
  }
  return 2;
}

template <class Real>
void optimizer_step(const OptimizerConfig& config, std::span<const TensorShape> tensors, Index step,
                    double learning_rate, double gradient_scale, std::span<const double> gradient,
                    std::span<Real> parameters, std::span<Real> moments) {
  const auto t = static_cast<double>(step);
  const bool corrected = config.kind == OptimizerKind::adam || config.kind == OptimizerKind::rmsprop_corrected;
  const Real correction1 = static_cast<Real>(corrected ? 1 / (1 - std::pow(config.beta1, t)) : 1);
  const Real correction2 = static_cast<Real>(corrected ? 1 / (1 - std::pow(config.beta2, t)) : 1);
  const bool has_first = config.kind == OptimizerKind::momentum || config.kind == OptimizerKind::adam;
  const bool has_second = n_moments(config.kind) == 2 || (n_moments(config.kind) == 1 && !has_first);
  for (const TensorShape& parameter : tensors) {
    TensorStep<Real> tensor;
    tensor.gradient = gradient.subspan(static_cast<size_t>(parameter.offset), static_cast<size_t>(parameter.size()));
    tensor.parameters = parameters.data() + parameter.offset;
    tensor.first = has_first ? moments.data() + parameter.offset : nullptr;
    tensor.second = has_second ? moments.data() + (has_first ? parameters.size() : 0) + parameter.offset : nullptr;
    tensor.scale = gradient_scale;
    tensor.learning_rate = static_cast<Real>(learning_rate);
    tensor.decay = static_cast<Real>(parameter.is_vector && !config.decay_vectors ? 0 : config.weight_decay);
    update_tensor(config, tensor, correction1, correction2);
  }
}

template void optimizer_step<float>(const OptimizerConfig&, std::span<const TensorShape>, Index, double, double,
                                    std::span<const double>, std::span<float>, std::span<float>);
template void optimizer_step<double>(const OptimizerConfig&, std::span<const TensorShape>, Index, double, double,
                                     std::span<const double>, std::span<double>, std::span<double>);

double l2_norm(std::span<const double> values) {
  constexpr size_t kSums = 8;  // independent, so that no addition waits for the one before it
  double sums[kSums] = {};
  const size_t whole = values.size() / kSums * kSums;
  for (size_t i = 0; i < whole; i += kSums)
    for (size_t s = 0; s < kSums; ++s) sums[s] += values[i + s] * values[i + s];
  for (size_t i = whole; i < values.size(); ++i) sums[i - whole] += values[i] * values[i];
  double sum = 0;
  for (const double part : sums) sum += part;
  return std::sqrt(sum);
}

}  // namespace agpt
