// A step's gradient in double precision and the optimizer's update of flat buffers: the formulas are those of
// cpp/backend/optimizer.h.
#pragma once

#include "cpp/backend/optimizer.h"
#include "cuda/runtime/launch.h"

namespace agpt::cuda {

/// What a step found, on the device until the host reads it once.
struct StepRecord {
  double loss = 0, gradient_norm = 0;
  double clip_factor = 0;
  int32_t is_finite = 0;
};

/// Consecutive numbers of one tensor.
struct FlatPiece {
  Index begin = 0;
  int32_t size = 0, is_vector = 0;
};
constexpr int kFlatPiece = 1024;

/// The numbers of an update that are the same for all parameters.
struct UpdateNumbers {
  OptimizerKind kind = OptimizerKind::adam;
  double learning_rate = 0, beta1 = 0, beta2 = 0, epsilon = 0;
  double matrix_decay = 0, vector_decay = 0;
  double correction1 = 1, correction2 = 1;
  bool operator==(const UpdateNumbers&) const = default;
};

/// How many partial sums squared_norm() makes of n numbers.
Index norm_parts(Index n);

/// sum[i] += scale * addend[i].
template <class Real>
void add_scaled(const Queue& queue, Index n, double scale, const Real* addend, double* sum);

/// gradient[i] *= scale, and partial = sums of its squares (norm_parts() numbers), in a fixed order.
void scale_and_square(const Queue& queue, Index n, double scale, double* gradient, double* partial);

/// record = the step's loss (given + *running) / weight, the norm, what the gradient is clipped by, and whether both are
/// finite; *running = 0. running may be null; clip_norm 0 is no limit.
void finish_step(const Queue& queue, Index n_parts, const double* partial, double given, double weight,
                 double clip_norm, double* running, StepRecord* record);

/// One step of the optimizer where the record is finite. pieces cover all parameters; first and second are moments, null
/// where the optimizer has none.
template <class Real>
void update_parameters(const Queue& queue, const UpdateNumbers& numbers, Index n_pieces, const FlatPiece* pieces,
                       const StepRecord* record, const double* gradient, Real* parameters, Real* first, Real* second);

}  // namespace agpt::cuda
