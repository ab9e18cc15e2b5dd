// A training on the device: the gradient of a step in double precision, the optimizer's moments, and the update.
#pragma once

#include <memory>

#include "cuda/device_model.h"

namespace agpt::cuda {

template <class Real>
std::unique_ptr<TrainingState<Real>> make_device_training_state(DeviceModel<Real>& model,
                                                                const TrainingArrays<Real>& arrays);

}  // namespace agpt::cuda
