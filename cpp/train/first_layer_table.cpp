#include "cpp/train/first_layer_table.h"

#include "cpp/train/transformer.h"

namespace agpt {

template <class Real>
FirstLayerTable<Real>::FirstLayerTable(const ModelConfig& config, const ParameterTable& table, Backend<Real>& backend) {
  if (config.n_layers == 0 || config.embedding_norm) return;
  const bool has_positions = config.position == Position::learned;
  n_rows_ = config.vocab_size + (has_positions ? config.context : 0);
  // Every gradient keeps the sums of a row of queries, keys and values for each: they must not be most of it.
  if (3 * config.d_model * n_rows_ > table.size()) return;
  tables_ = backend.make_embedding_tables({.embedding = table.embedding,
                                           .position_embedding = has_positions ? table.position_embedding : -1,
                                           .norm = norm_shape(config, table.blocks[0].norm1),
                                           .linear = kFirstQkvLinear});
}

template <class Real>
void FirstLayerTable<Real>::start(Index n_rows) {
  is_on_ = tables_ != nullptr && 2 * n_rows_ <= n_rows;
  if (is_on_) tables_->make();
}

template class FirstLayerTable<float>;
template class FirstLayerTable<double>;

}  // namespace agpt
