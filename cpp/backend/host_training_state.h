// The training state of a backend in host memory: the trainer's own arrays.
#pragma once

#include <memory>

#include "cpp/backend/host_backend.h"

namespace agpt {

struct PaddedLayout;

/// backend must outlive the state, and so must the layout of its gradients, which are all HostGradients.
template <class Real>
std::unique_ptr<TrainingState<Real>> make_host_training_state(HostBackend<Real>& backend, const PaddedLayout& layout,
                                                              const TrainingArrays<Real>& arrays,
                                                              const OptimizerLoops<Real>& loops = {});

}  // namespace agpt
