// The training state of a backend in host memory: the trainer's own arrays.
#pragma once

#include <memory>

#include "cpp/backend/host_backend.h"

namespace agpt {

/// backend must outlive the state.
template <class Real>
std::unique_ptr<TrainingState<Real>> make_host_training_state(HostBackend<Real>& backend,
                                                              std::span<const TensorShape> tensors,
                                                              const TrainingArrays<Real>& arrays,
                                                              const OptimizerLoops<Real>& loops = {});

}  // namespace agpt
