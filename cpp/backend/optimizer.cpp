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
void update_tensor(const TensorUpdate<Real>& u) {
  const Real keep = 1 - u.learning_rate * u.decay;
  for (Index i = 0; i < u.size; ++i) {
    const Real g = static_cast<Real>(u.gradient[i] * u.scale);
    Real move = g;
    switch (u.kind) {
      case OptimizerKind::sgd:
        break;
      case OptimizerKind::momentum:
        move = u.first[i] = u.beta1 * u.first[i] + g;
        break;
      case OptimizerKind::adam:
        u.first[i] = u.beta1 * u.first[i] + (1 - u.beta1) * g;
        u.second[i] = u.beta2 * u.second[i] + (1 - u.beta2) * g * g;
        move = u.first[i] * u.correction1 / (std::sqrt(u.second[i] * u.correction2) + u.epsilon);
        break;
      case OptimizerKind::rmsprop:
      case OptimizerKind::rmsprop_corrected:
        u.second[i] = u.beta2 * u.second[i] + (1 - u.beta2) * g * g;
        move = g / (std::sqrt(u.second[i] * u.correction2) + u.epsilon);
        break;
    }
    u.parameters[i] = (u.parameters[i] - u.learning_rate * move) * keep;
  }
}

template <class Real>
double add_gradients(double* sum, const Real* const* addends, int n_addends, Index n, double scale, bool overwrite) {
  double squares = 0;
  for (Index i = 0; i < n; ++i) {
    double value = overwrite ? 0 : sum[i];
    for (int a = 0; a < n_addends; ++a) value += scale * static_cast<double>(addends[a][i]);
    sum[i] = value;
    squares += value * value;
  }
  return squares;
}

template <class Real>
OptimizerStep<Real>::OptimizerStep(const OptimizerConfig& config, Index number, double learning_rate,
                                   double gradient_scale, std::span<const double> gradient, std::span<Real> parameters,
                                   std::span<Real> moments, const OptimizerLoops<Real>& loops)
    : loops_(loops),
      decay_(static_cast<Real>(config.weight_decay)),
      vector_decay_(config.decay_vectors ? decay_ : Real{0}) {
  const auto t = static_cast<double>(number);
  const bool is_adam = config.kind == OptimizerKind::adam;
  const bool has_first = is_adam || config.kind == OptimizerKind::momentum;
  const bool has_second = n_moments(config.kind) == 2 || (n_moments(config.kind) == 1 && !has_first);
  const bool corrected = is_adam || config.kind == OptimizerKind::rmsprop_corrected;
  all_ = {.kind = config.kind,
          .size = 0,
          .gradient = gradient.data(),
          .parameters = parameters.data(),
          .first = has_first ? moments.data() : nullptr,
          .second = has_second ? moments.data() + (has_first ? parameters.size() : 0) : nullptr,
          .scale = gradient_scale,
          .beta1 = static_cast<Real>(config.beta1),
          .beta2 = static_cast<Real>(config.beta2),
          .epsilon = static_cast<Real>(config.epsilon),
          .correction1 = static_cast<Real>(is_adam ? 1 / (1 - std::pow(config.beta1, t)) : 1),
          .correction2 = static_cast<Real>(corrected ? 1 / (1 - std::pow(config.beta2, t)) : 1),
          .learning_rate = static_cast<Real>(learning_rate),
          .decay = 0};
}

template <class Real>
void OptimizerStep<Real>::update(const TensorShape& tensor) const {
  TensorUpdate<Real> update = all_;
  update.size = tensor.size();
  update.gradient += tensor.offset;
  update.parameters += tensor.offset;
  if (update.first != nullptr) update.first += tensor.offset;
  if (update.second != nullptr) update.second += tensor.offset;
  update.decay = tensor.is_vector ? vector_decay_ : decay_;
  loops_.update(update);
}

template void update_tensor<float>(const TensorUpdate<float>&);
template void update_tensor<double>(const TensorUpdate<double>&);
template double add_gradients<float>(double*, const float* const*, int, Index, double, bool);
template double add_gradients<double>(double*, const double* const*, int, Index, double, bool);
template class OptimizerStep<float>;
template class OptimizerStep<double>;

}  // namespace agpt
