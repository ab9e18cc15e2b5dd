// How much memory the rows of a batch take on their way through a model, and so how many fit.
#pragma once

#include "cpp/backend/backend.h"
#include "cpp/model/model_config.h"

namespace agpt {

/// Bytes that a row of a training batch takes on a stream, with numbers of `real_bytes` bytes: the scratch matrices of
/// Transformer, each row padded to kRowQuantum numbers, what attention keeps of a row in each layer, and two copies of the
/// batch's own arrays, one in use and one on its way, at two targets a row. With d, f, v the padded widths of the model,
/// the hidden layer and the vocabulary, q that of 3 d, and a = 2 hidden matrices, or 1 where the activation is relu:
///   numbers = layers (5 d + q + a f + 32 + saved attention) + 4 d + q + f + v + 16 (+ d + 16 with an embedding norm)
Index activation_bytes_per_row(const ModelConfig& config, Index saved_attention_per_row, int tile_rows,
                               Index real_bytes);

/// Rows of the batches of a backend that wants them joined: as many as it wants, or as its memory holds. 0 where it does
/// not. MemoryCapError where not even a small batch fits.
template <class Real>
Index joined_batch_rows(const ModelConfig& config, const Backend<Real>& backend);

}  // namespace agpt
