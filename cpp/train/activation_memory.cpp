#include "cpp/train/activation_memory.h"

#include <algorithm>
#include <string>

#include "cpp/base/error.h"

namespace agpt {
namespace {

// Below this a device waits for launches more than it computes.
constexpr Index kFewestRows = 1024;

// Token, position, parent, weight, the end of the targets and two of them; keys with their masks; a share of a tile.
Index batch_bytes_per_row(Index context, int tile_rows) {
  const Index keys = 1 + (context + tile_rows - 1) / tile_rows;
  return 3 * 4 + 8 + 4 + 2 * 12 + 12 * keys + 16 / tile_rows + 1;
}

}  // namespace

Index activation_bytes_per_row(const ModelConfig& config, Index saved_attention_per_row, int tile_rows,
                               Index real_bytes) {
  const Index d = padded_width(config.d_model), q = padded_width(3 * static_cast<Index>(config.d_model)),
              f = padded_width(config.d_ff), v = padded_width(config.vocab_size), statistics = kRowQuantum;
  const Index hidden = config.activation == Activation::relu ? f : 2 * f;
  const Index layer = 5 * d + q + hidden + 2 * statistics + saved_attention_per_row;
  const Index ends = 2 * d + v + statistics + (config.embedding_norm ? d + statistics : 0),
              gradients = 2 * d + (config.n_layers > 0 ? q + f : 0);
  return (config.n_layers * layer + ends + gradients) * real_bytes + 2 * batch_bytes_per_row(config.context, tile_rows);
}

template <class Real>
Index joined_batch_rows(const ModelConfig& config, const Backend<Real>& backend) {
  const Index memory = backend.activation_memory();
  if (backend.joined_rows() == 0 || memory == 0) return backend.joined_rows();
  const Index bytes = activation_bytes_per_row(config, backend.saved_attention_per_row(config.context),
                                               backend.tile_rows(), static_cast<Index>(sizeof(Real)));
  if (memory / bytes < kFewestRows)
    throw MemoryCapError("a batch of " + std::to_string(kFewestRows) + " rows of this model takes " +
                         std::to_string((kFewestRows * bytes >> 20) + 1) + " MiB of device memory, but " +
                         std::to_string(memory >> 20) +
                         " MiB are left for it: raise --mem-cap, choose a smaller model or a GPU with more memory");
  return std::min(backend.joined_rows(), memory / bytes);
}

template Index joined_batch_rows<float>(const ModelConfig&, const Backend<float>&);
template Index joined_batch_rows<double>(const ModelConfig&, const Backend<double>&);

}  // namespace agpt
