// Softmax cross-entropy against sparse weighted targets.
#pragma once

#include "cpp/backend/backend.h"
#include "cuda/runtime/launch.h"

namespace agpt::cuda {

/// The targets of a batch on the device, from its row 0 on.
struct DeviceTargets {
  const int32_t* begin = nullptr;  // (rows + 1)
  const int32_t* token = nullptr;
  const double* weight = nullptr;      // (targets)
  const double* row_weight = nullptr;  // (rows)
  bool operator==(const DeviceTargets&) const = default;
};

/// How many partial losses cross_entropy() makes of n_rows rows.
Index loss_parts(Index n_rows);

/// *loss += the loss of the rows [begin, end); where `gradient`, logits become their gradient. partial: room for
/// loss_parts() numbers. The sum has a fixed order.
template <class Real>
void cross_entropy(const Queue& queue, const DeviceTargets& targets, Index columns, Index begin, Index end,
                   Rows<Real> logits, bool gradient, double* partial, double* loss);

/// losses[r - begin] = the loss of row r.
template <class Real>
void row_losses(const Queue& queue, const DeviceTargets& targets, Index columns, Index begin, Index end,
                Rows<Real> logits, double* losses);

}  // namespace agpt::cuda
