// Optimizers over one flat buffer of parameters.
#pragma once

#include <span>

#include "cpp/backend/model_shape.h"

namespace agpt {

/// With g the gradient, t the step (from 1), all element by element; weight decay p -= lr * weight_decay * p follows,
/// for every optimizer:
///   sgd                p -= lr g
///   momentum           m = beta1 m + g;  p -= lr m
///   adam               m = beta1 m + (1-beta1) g;  v = beta2 v + (1-beta2) g^2
///                      p -= lr (m / (1-beta1^t)) / (sqrt(v / (1-beta2^t)) + epsilon)         (Kingma and Ba 2015)
///   rmsprop            v = beta2 v + (1-beta2) g^2;  p -= lr g / (sqrt(v) + epsilon)         (no bias correction: the
///   first
///                      steps are larger by up to 1 / sqrt(1-beta2))
///   rmsprop_corrected  the same with v / (1-beta2^t)
/// adamw is adam with a weight decay that is not 0 (Loshchilov and Hutter 2019).
enum class OptimizerKind { sgd, momentum, adam, rmsprop, rmsprop_corrected };

struct OptimizerConfig {
  OptimizerKind kind = OptimizerKind::adam;
  double beta1 = 0.9;
  double beta2 = 0.999;
  double epsilon = 1e-8;
  double weight_decay = 0;
  bool decay_vectors = false;  ///< Decay biases and norm gains too.
  double clip_norm = 0;        ///< Largest global L2 norm of the gradient; 0 is off.

  void validate() const;
  /// What a gradient of that norm is multiplied by.
  double clip_factor(double norm) const { return clip_norm > 0 && norm > clip_norm ? clip_norm / norm : 1; }
};

/// The moments that the optimizer of `config` keeps: 0, 1 or 2 buffers of the size of the parameters.
int n_moments(OptimizerKind kind);

/// The update of one tensor; the corrections are 1 / (1 - beta^t), or 1 for an optimizer that does not correct.
template <class Real>
struct TensorUpdate {
  OptimizerKind kind;
  Index size;
  const double* gradient;
  Real* parameters;
  Real *first, *second;  ///< Moments; null where the optimizer keeps none.
  double scale;          ///< The gradient is multiplied by it.
  Real beta1, beta2, epsilon, correction1, correction2, learning_rate, decay;
};

template <class Real>
void update_tensor(const TensorUpdate<Real>& update);

/// sum (n) = the `n_addends` addends, n numbers each, one after the other, each times scale; += unless `overwrite`.
/// Returns the sum of the squares of what sum holds then.
template <class Real>
double add_gradients(double* sum, const Real* const* addends, int n_addends, Index n, double scale, bool overwrite);

/// The two loops of a step over the parameters; a backend may have faster ones.
template <class Real>
struct OptimizerLoops {
  void (*update)(const TensorUpdate<Real>& update) = update_tensor<Real>;
  double (*add_gradients)(double* sum, const Real* const* addends, int n_addends, Index n, double scale,
                          bool overwrite) = agpt::add_gradients<Real>;
};

/// One step, tensor by tensor and in place: tensors may be updated in any order, and by several threads.
template <class Real>
class OptimizerStep {
 public:
  /// moments holds n_moments() buffers one after the other. gradient is read only; it is multiplied by gradient_scale
  /// first. number: of the step, from 1.
  OptimizerStep(const OptimizerConfig& config, Index number, double learning_rate, double gradient_scale,
                std::span<const double> gradient, std::span<Real> parameters, std::span<Real> moments,
                const OptimizerLoops<Real>& loops = {});
  /// tensor: any part of the parameters, which says whether it is of a vector.
  void update(const TensorShape& tensor) const;

 private:
  OptimizerLoops<Real> loops_;
  TensorUpdate<Real> all_;  // of all parameters, but for `size` and `decay`
  Real decay_, vector_decay_;
};

}  // namespace agpt
