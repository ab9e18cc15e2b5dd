#include "cpp/train/first_layer_table.h"

#include "cpp/train/transformer.h"

namespace agpt {

template <class Real>
FirstLayerTable<Real>::FirstLayerTable(const ModelConfig& config, const ParameterTable& table, Stream<Real>& stream,
                                       int qkv_linear, int first_slot)
    : config_(config), table_(table), stream_(stream), qkv_linear_(qkv_linear), first_slot_(first_slot) {
  if (config.n_layers == 0 || config.position == Position::learned || config.embedding_norm ||
      stream.token_tables() == nullptr)
    return;
  for (Index token = 0; token < config.vocab_size; ++token) {
    tokens_.begin_row(static_cast<Token>(token), 0, -1);
    tokens_.end_row();
  }
}

template <class Real>
Rows<Real> FirstLayerTable<Real>::rows(Slot slot) {
  const Index d = config_.d_model;
  const Index columns = slot == kStatistics ? 2 : slot == kQkv || slot == kQkvGradient ? 3 * d : d;
  return stream_.scratch(first_slot_ + slot, config_.vocab_size, columns);
}

template <class Real>
void FirstLayerTable<Real>::start(Index n_rows) {
  const Index n_tokens = tokens_.n_rows();
  is_on_ = n_tokens > 0 && 2 * n_tokens <= n_rows;
  if (!is_on_) return;
  stream_.begin(view_of(tokens_), nullptr);
  stream_.embed(table_.embedding, kNoParameter, 0, n_tokens, rows(kEmbedding));
  stream_.norm(norm_shape(config_, table_.blocks[0].norm1), config_.d_model, 0, n_tokens, rows(kEmbedding),
               rows(kNormed), rows(kStatistics));
  stream_.linear(qkv_linear_, 0, n_tokens, rows(kNormed), rows(kQkv), {});
  stream_.clear(3 * config_.d_model, 0, n_tokens, rows(kQkvGradient));
}

template <class Real>
void FirstLayerTable<Real>::finish(Gradient<Real>* gradient) {
  if (is_on_ && gradient != nullptr) {
    const Index n_tokens = tokens_.n_rows();
    stream_.begin(view_of(tokens_), gradient);
    stream_.linear_backward_weight(qkv_linear_, 0, n_tokens, rows(kNormed), rows(kQkvGradient));
    stream_.linear_backward_input(qkv_linear_, 0, n_tokens, rows(kQkvGradient), rows(kNormedGradient));
    stream_.norm_backward(norm_shape(config_, table_.blocks[0].norm1), config_.d_model, 0, n_tokens, rows(kEmbedding),
                          rows(kStatistics), rows(kNormedGradient), rows(kEmbeddingGradient), false);
    stream_.embed_backward(table_.embedding, kNoParameter, 0, n_tokens, rows(kEmbeddingGradient));
  }
  is_on_ = false;
}

template class FirstLayerTable<float>;
template class FirstLayerTable<double>;

}  // namespace agpt
