// The normalisation of the reference trainer: by chunks of a step, and not the same for all parameters.
#pragma once

#include <span>

#include "cpp/train/batch_runner.h"

namespace agpt {

/// The gradient of `state` += sum over the chunks of a work of s * (gradient of the sum of the chunk's losses).
/// s = 1 / positions of the chunk for the weights and biases of linear layers; s = 1 for embeddings and for the gains
/// and biases of norms, which the reference forgot to divide. A tied head is an embedding.
template <class Real>
BatchTotals sum_of_chunk_means(BatchRunner<Real>& runner, const ParameterTable& table, const StepWork& work,
                               TrainingState<Real>& state, const InterruptCheck& check);

}  // namespace agpt
