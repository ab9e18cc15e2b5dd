#include "cpp/train/first_layer_table.h"

#include "cpp/train/transformer.h"

namespace agpt {
namespace {

// A table by position is kept within so many numbers: what the caches hold, in the memory of every thread.
constexpr Index kMostNumbers = Index{1} << 22;

}  // namespace

template <class Real>
FirstLayerTable<Real>::FirstLayerTable(const ModelConfig& config, const ParameterTable& table, Stream<Real>& stream,
                                       int qkv_linear, int first_slot)
    : config_(config), table_(table), stream_(stream), qkv_linear_(qkv_linear), first_slot_(first_slot) {
  if (config.n_layers == 0 || config.embedding_norm || stream.token_tables() == nullptr) return;
  n_rows_ = config.vocab_size * (config.position == Position::learned ? config.context : 1);
}

template <class Real>
Rows<Real> FirstLayerTable<Real>::rows(Slot slot) {
  const Index d = config_.d_model;
  const Index columns = slot == kStatistics ? 2 : slot == kQkv || slot == kQkvGradient ? 3 * d : d;
  return stream_.scratch(first_slot_ + slot, n_rows_, columns);
}

template <class Real>
bool FirstLayerTable<Real>::pays(Index n_rows, bool has_gradient) const {
  if (n_rows_ == 0 || 2 * n_rows_ > n_rows) return false;
  return config_.position != Position::learned || (!has_gradient && 3 * config_.d_model * n_rows_ <= kMostNumbers);
}

template <class Real>
void FirstLayerTable<Real>::make_rows() {
  for (Index row = tokens_.n_rows(); row < n_rows_; ++row) {
    tokens_.begin_row(static_cast<Token>(row % config_.vocab_size), static_cast<int32_t>(row / config_.vocab_size), -1);
    tokens_.end_row();
  }
}

template <class Real>
void FirstLayerTable<Real>::start(Index n_rows, bool has_gradient) {
  is_on_ = pays(n_rows, has_gradient);
  if (!is_on_) return;
  make_rows();
  stream_.begin(view_of(tokens_), nullptr);
  stream_.embed(table_.embedding, table_.position_embedding, 0, n_rows_, rows(kEmbedding));
  stream_.norm(norm_shape(config_, table_.blocks[0].norm1), config_.d_model, 0, n_rows_, rows(kEmbedding),
               rows(kNormed), rows(kStatistics));
  stream_.linear(qkv_linear_, 0, n_rows_, rows(kNormed), rows(kQkv), {});
  if (has_gradient) stream_.clear(3 * config_.d_model, 0, n_rows_, rows(kQkvGradient));
}

template <class Real>
void FirstLayerTable<Real>::finish(Gradient<Real>* gradient) {
  if (is_on_ && gradient != nullptr) {
    stream_.begin(view_of(tokens_), gradient);
    stream_.linear_backward_weight(qkv_linear_, 0, n_rows_, rows(kNormed), rows(kQkvGradient));
    stream_.linear_backward_input(qkv_linear_, 0, n_rows_, rows(kQkvGradient), rows(kNormedGradient));
    stream_.norm_backward(norm_shape(config_, table_.blocks[0].norm1), config_.d_model, 0, n_rows_, rows(kEmbedding),
                          rows(kStatistics), rows(kNormedGradient), rows(kEmbeddingGradient), false);
    stream_.embed_backward(table_.embedding, kNoParameter, 0, n_rows_, rows(kEmbeddingGradient));
  }
  is_on_ = false;
}

template class FirstLayerTable<float>;
template class FirstLayerTable<double>;

}  // namespace agpt
