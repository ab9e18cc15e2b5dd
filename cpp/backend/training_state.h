// What a training changes: the parameters, the optimizer's moments and the gradient of a step, wherever the backend
// keeps them. A backend in host memory works on the trainer's arrays in place; a device has copies and exchanges them when
// it is told, so that a step needs no more of the host than the numbers it reports.
#pragma once

#include <span>

#include "cpp/backend/optimizer.h"

namespace agpt {

template <class Real>
class Gradient;
template <class Real>
class Stream;

/// The host's arrays of a training; they belong to the trainer.
template <class Real>
struct TrainingArrays {
  std::span<Real> parameters;  ///< Flat, in the layout of the ModelShape.
  std::span<Real> moments;     ///< n_moments() buffers of that size; empty where no update will be made.
  std::span<double> gradient;  ///< Flat: the gradient of a step.
};

/// One optimizer step, as numbers.
struct UpdateStep {
  Index number = 1;  ///< From 1.
  double learning_rate = 0;
  double weight = 1;      ///< The sum of losses is divided by it.
  double normaliser = 1;  ///< The sum of gradients is divided by it.
};

/// What a step found.
struct UpdateResult {
  double loss = 0;           ///< Sum of losses / weight.
  double gradient_norm = 0;  ///< L2 norm of the normalised gradient before clipping.
};

template <class Real>
class TrainingState {
 public:
  virtual ~TrainingState() = default;
  /// The arrays themselves are the state: nothing needs fetching, and an update's parameters are sent like any others.
  virtual bool is_in_place() const = 0;

  /// The backend computes with the array of parameters as it is now.
  virtual void send_parameters() = 0;
  virtual void send_moments() = 0;
  // The arrays become what the backend has. They wait.
  virtual void fetch_parameters() = 0;
  virtual void fetch_moments() = 0;
  virtual void fetch_gradient() = 0;

  /// gradient = 0.
  virtual void clear_gradient() = 0;
  /// gradient += scale * addend, in double precision, for the tensors [first_tensor, end_tensor). Threads may add to
  /// different tensors at a time.
  virtual void add(const Gradient<Real>& addend, int first_tensor, int end_tensor, double scale) = 0;
  /// The same for several, one after the other.
  virtual void add(std::span<const Gradient<Real>* const> addends, int first_tensor, int end_tensor, double scale) {
    for (const Gradient<Real>* addend : addends) add(*addend, first_tensor, end_tensor, scale);
  }

  /// gradient /= normaliser; then, where the loss and the norm of the gradient are finite, one step of the optimizer;
  /// where they are not, parameters and moments stay as they are. A state that is not in place computes with the new
  /// parameters from now on. The loss is `loss` and, where `running` is given, the running loss of that stream, which
  /// becomes 0. Waits, once.
  virtual UpdateResult update(const OptimizerConfig& config, const UpdateStep& step, double loss,
                              Stream<Real>* running) = 0;
};

}  // namespace agpt
