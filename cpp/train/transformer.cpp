#include "cpp/train/transformer.h"

#include <algorithm>

#include "cpp/base/error.h"

namespace agpt {
namespace {

enum Linear { kQkvLinear, kOutputLinear, kUpLinear, kDownLinear };

// A multiply-add for a single query takes as long as so many in the product of two matrices.
constexpr double kSingleQueryCost = 1.5;

ElementwiseActivation activation_of(const ModelConfig& config) {
  switch (config.activation) {
    case Activation::relu:
      return ElementwiseActivation::relu;
    case Activation::relu_squared:
      return ElementwiseActivation::relu_squared;
    case Activation::gelu:
      break;
  }
  return ElementwiseActivation::gelu;
}

// Fills `runs` with the runs of ghost rows [begin, end) of a batch that takes them for constants; none of another batch.
void find_constant_rows(const RowBatch& batch, std::vector<std::pair<Index, Index>>& runs) {
  runs.clear();
  if (!batch.ghosts_are_constant) return;
  for (Index row = 0; row < batch.n_rows(); ++row) {
    if (!batch.is_ghost(row)) continue;
    if (runs.empty() || runs.back().second < row) runs.emplace_back(row, row);
    runs.back().second = row + 1;
  }
}

}  // namespace

ModelShape model_shape(const ModelConfig& config, const ParameterTable& table) {
  ModelShape shape;
  for (const Parameter& parameter : table.parameters())
    shape.tensors.push_back({parameter.offset, parameter.rows, parameter.columns, parameter.is_vector});
  for (const BlockParameters& block : table.blocks)
    for (const LinearParameters& linear : {block.qkv, block.output, block.up, block.down})
      shape.linears.push_back({linear.weight, linear.bias, false});
  shape.linears.push_back({table.head.weight, table.head.bias, table.head_is_transposed});
  shape.heads = config.heads;
  if (config.position == Position::rope) shape.rotated_positions = config.context;
  shape.rotation_base = config.rope_base;
  return shape;
}

NormShape norm_shape(const ModelConfig& config, const NormParameters& parameters) {
  return {config.norm == Norm::layer_norm, parameters.gain, parameters.bias, config.norm_epsilon};
}

BatchView view_of(const RowBatch& batch) {
  BatchView view;
  view.token = batch.token;
  view.position = batch.position;
  view.parent = batch.parent;
  view.tiles = batch.tiles;
  view.key_row = batch.key_row;
  view.key_mask = batch.key_mask;
  view.target_begin = batch.target_begin;
  view.target_token = batch.target_token;
  view.target_weight = batch.target_weight;
  view.weight = batch.weight;
  return view;
}

template <class Real>
Transformer<Real>::Transformer(const ModelConfig& config, const ParameterTable& table, Stream<Real>& stream,
                               const FirstLayerTable<Real>* first_layer)
    : config_(config), table_(table), stream_(stream), first_layer_(first_layer) {}

template <class Real>
void Transformer<Real>::scored_logits(const RowBatch& batch, Gradient<Real>* gradient) {
  begin(batch, gradient, gradient == nullptr ? Kept::nothing : Kept::everything, 0, batch.n_rows());
  absorbs_last_layer_ = gradient == nullptr && absorbing_pays(batch);
  const auto n_tiles = static_cast<Index>(batch.tiles.size());
  forward(0, batch.n_rows(), batch.n_leading_ghosts, 0, batch.first_scored_tile, n_tiles);
  head(batch.n_leading_ghosts, batch.n_rows());
}

template <class Real>
void Transformer<Real>::add_loss(const RowBatch& batch) {
  scored_logits(batch, nullptr);
  cross_entropy(batch.n_leading_ghosts, batch.n_rows(), false);
}

template <class Real>
void Transformer<Real>::row_losses(const RowBatch& batch, std::vector<double>& losses) {
  scored_logits(batch, nullptr);
  losses.assign(static_cast<size_t>(batch.n_rows()), 0.0);
  stream_.row_losses(config_.vocab_size, batch.n_leading_ghosts, batch.n_rows(), scratch(kLogits, config_.vocab_size),
                     std::span(losses).subspan(static_cast<size_t>(batch.n_leading_ghosts)));
}

template <class Real>
void Transformer<Real>::add_loss_and_gradient(const RowBatch& batch, Gradient<Real>& gradient) {
  scored_logits(batch, &gradient);
  cross_entropy(batch.n_leading_ghosts, batch.n_rows(), true);
  head_backward(batch.n_leading_ghosts, batch.n_rows());
  backward(batch.n_rows(), batch.n_leading_ghosts, batch.first_scored_tile, static_cast<Index>(batch.tiles.size()));
}

template <class Real>
Rows<Real> Transformer<Real>::logits(const RowBatch& batch, Index first_row, Index scored, Index capacity,
                                     bool keeps_stages) {
  begin(batch, nullptr, keeps_stages ? Kept::everything : Kept::keys_and_values, first_row, capacity);
  absorbs_last_layer_ = false;  // later rows need its keys and values
  const auto tile_of = [&](Index row) {
    const auto tile = std::find_if(batch.tiles.begin(), batch.tiles.end(),
                                   [row](const Tile& candidate) { return candidate.first_row >= row; });
    return static_cast<Index>(tile - batch.tiles.begin());
  };
  forward(first_row, batch.n_rows(), scored, tile_of(first_row), tile_of(scored),
          static_cast<Index>(batch.tiles.size()));
  head(scored, batch.n_rows());
  return scratch(kLogits, config_.vocab_size);
}

template <class Real>
std::vector<StageView<Real>> Transformer<Real>::stages() {
  const Index d = config_.d_model;
  std::vector<StageView<Real>> stages;
  stages.push_back({"embedding", config_.embedding_norm ? scratch(kEmbedding, d) : input_of(0), d});
  if (config_.embedding_norm) stages.push_back({"embedding_norm", input_of(0), d});
  for (int layer = 0; layer < config_.n_layers; ++layer) {
    const std::string block = "blocks." + std::to_string(layer) + ".";
    const LayerRows rows = layer_rows(layer);
    stages.push_back({block + "norm1", rows.normed1, d});
    stages.push_back({block + "attention.qkv", rows.qkv, 3 * d});
    stages.push_back({block + "attention.heads", rows.attention, d});
    stages.push_back({block + "after_attention", rows.middle, d});
    stages.push_back({block + "norm2", rows.normed2, d});
    if (rows.hidden_before.data != rows.hidden.data)
      stages.push_back({block + "mlp.up", rows.hidden_before, config_.d_ff});
    stages.push_back({block + "mlp.hidden", rows.hidden, config_.d_ff});
    stages.push_back({block + "after_mlp", input_of(layer + 1), d});
  }
  if (config_.final_norm) stages.push_back({"final_norm", scratch(kFinalNormed, d), d});
  stages.push_back({"logits", scratch(kLogits, config_.vocab_size), config_.vocab_size});
  return stages;
}

template <class Real>
int Transformer<Real>::slot_of(int layer, LayerSlot slot) const {
  // Layers that need nothing of one another work in the same memory, which stays in cache.
  const bool is_shared = kept_ == Kept::nothing || (kept_ == Kept::keys_and_values && slot != kQkv);
  return kFirstLayerSlot + kSlotsPerLayer * (is_shared ? 0 : layer) + slot;
}

template <class Real>
Rows<Real> Transformer<Real>::input_of(int layer) {
  return scratch(layer < config_.n_layers ? slot_of(layer, kInput) : int{kFinalInput}, config_.d_model);
}

template <class Real>
typename Transformer<Real>::LayerRows Transformer<Real>::layer_rows(int layer) {
  const Index d = config_.d_model, wide = config_.d_ff;
  LayerRows rows;
  rows.input = input_of(layer);
  rows.normed1 = scratch(slot_of(layer, kNormed1), d);
  rows.statistics1 = scratch(slot_of(layer, kStatistics1), 2);
  rows.qkv = stream_.scratch(slot_of(layer, kQkv), capacity_, 3 * d);
  rows.attention = scratch(slot_of(layer, kAttention), d);
  rows.middle = scratch(slot_of(layer, kMiddle), d);
  rows.normed2 = scratch(slot_of(layer, kNormed2), d);
  rows.statistics2 = scratch(slot_of(layer, kStatistics2), 2);
  rows.hidden = scratch(slot_of(layer, kHidden), wide);
  // The gradient of relu needs only the sign of its input, which its output has too: one matrix serves both.
  rows.hidden_before =
      config_.activation == Activation::relu ? rows.hidden : scratch(slot_of(layer, kHiddenBefore), wide);
  return rows;
}

template <class Real>
Real* Transformer<Real>::saved_attention(int layer, Index first_tile, Index end_tile) {
  const Index size = stream_.saved_attention_size(first_tile, end_tile);
  return stream_
      .scratch(kFirstLayerSlot + kSlotsPerLayer * layer + kSaved, (size + kRowQuantum - 1) / kRowQuantum, kRowQuantum)
      .data;
}

template <class Real>
void Transformer<Real>::begin(const RowBatch& batch, Gradient<Real>* gradient, Kept kept, Index first_row,
                              Index capacity) {
  AGPT_REQUIRE(!batch.tiles.empty() || batch.n_rows() == 0,
               "the batch has rows but no tiles: call build_tiles() first");
  first_row_ = first_row;
  n_rows_ = batch.n_rows() - first_row;
  capacity_ = capacity;
  kept_ = kept;
  find_constant_rows(batch, constant_rows_);
  batch_ = view_of(batch);
  gradient_ = gradient;
  stream_.begin(batch_, gradient);
}

// Left out are two products of all rows with (d, d) matrices; the queries that there are take two of their own and
// every head sees rows of width d, not of its share. Tables of the first layer have what it would leave out.
template <class Real>
bool Transformer<Real>::absorbing_pays(const RowBatch& batch) const {
  const AbsorbedAttention<Real>* absorbed = stream_.absorbed_attention();
  if (absorbed == nullptr || tables_of(config_.n_layers - 1) != nullptr) return false;
  if (config_.position == Position::rope && !absorbed->takes_keys()) return false;
  const auto d = static_cast<double>(config_.d_model), n_heads = static_cast<double>(config_.heads.size());
  double pairs = 0;  // of queries and keys
  for (size_t t = static_cast<size_t>(batch.first_scored_tile); t < batch.tiles.size(); ++t)
    pairs += static_cast<double>(batch.tiles[t].n_rows) * (batch.tiles[t].key_end - batch.tiles[t].key_begin);
  const auto n_queries = static_cast<double>(batch.n_rows() - batch.n_leading_ghosts);
  return kSingleQueryCost * (pairs * (n_heads - 1) + n_queries * d) < static_cast<double>(batch.n_rows()) * d;
}

template <class Real>
void Transformer<Real>::forward(Index begin, Index end, Index scored, Index first_tile, Index scored_tile,
                                Index end_tile) {
  const Index d = config_.d_model;
  const Rows<Real> first = input_of(0);
  if (config_.embedding_norm) {
    const Rows<Real> embedded = scratch(kEmbedding, d);
    stream_.embed(table_.embedding, table_.position_embedding, begin, end, embedded);
    stream_.norm(norm_shape(table_.embedding_norm), d, begin, end, embedded, first, scratch(kEmbeddingStatistics, 2));
  } else {
    stream_.embed(table_.embedding, table_.position_embedding, begin, end, first);
  }
  for (int layer = 0; layer < config_.n_layers; ++layer) {
    const bool last = layer + 1 == config_.n_layers;
    forward_layer(layer, begin, end, last ? scored : begin, last ? scored_tile : first_tile, end_tile);
  }
}

template <class Real>
void Transformer<Real>::forward_layer(int layer, Index begin, Index end, Index scored, Index first_tile,
                                      Index end_tile) {
  const BlockParameters& block = table_.blocks[static_cast<size_t>(layer)];
  const LayerRows rows = layer_rows(layer);
  const Rows<Real> output = input_of(layer + 1);
  const Index d = config_.d_model;

  const bool is_absorbed = absorbs_last_layer_ && layer + 1 == config_.n_layers;
  if (is_absorbed)
    attend_absorbed(layer, rows, begin, end, scored, first_tile, end_tile);
  else
    attend(layer, rows, begin, end, scored, first_tile, end_tile);
  stream_.linear(linear_number(layer, kOutputLinear), scored, end, rows.attention, rows.middle, rows.input);

  stream_.norm(norm_shape(block.norm2), d, scored, end, rows.middle, rows.normed2, rows.statistics2);
  stream_.linear_activate(linear_number(layer, kUpLinear), activation_of(config_), scored, end, rows.normed2,
                          rows.hidden_before, rows.hidden);
  stream_.linear(linear_number(layer, kDownLinear), scored, end, rows.hidden, output, rows.middle);
}

template <class Real>
void Transformer<Real>::attend(int layer, const LayerRows& rows, Index begin, Index end, Index scored, Index first_tile,
                               Index end_tile) {
  queries_keys_and_values(layer, rows, begin, end, scored);
  if (config_.position == Position::rope) stream_.rotate(begin, end, rows.qkv, false);
  stream_.attend(first_tile, end_tile, rows.qkv, rows.attention, saved_attention(layer, first_tile, end_tile));
}

template <class Real>
void Transformer<Real>::attend_absorbed(int layer, const LayerRows& rows, Index begin, Index end, Index scored,
                                        Index first_tile, Index end_tile) {
  const Index d = config_.d_model;
  const int linear = linear_number(layer, kQkvLinear);
  stream_.norm(norm_shape(table_.blocks[static_cast<size_t>(layer)].norm1), d, begin, end, rows.input, rows.normed1,
               rows.statistics1);
  const bool has_keys = config_.position == Position::rope;
  stream_.linear_columns(linear, 0, has_keys ? 2 * d : d, scored, end, rows.normed1, rows.qkv);
  if (has_keys) {
    stream_.linear_columns(linear, d, 2 * d, begin, scored, rows.normed1, rows.qkv);
    stream_.rotate(begin, end, rows.qkv, false);
  }
  stream_.absorbed_attention()->attend_absorbed(linear, has_keys, first_tile, end_tile, rows.normed1, rows.qkv,
                                                rows.attention);
}

template <class Real>
void Transformer<Real>::queries_keys_and_values(int layer, const LayerRows& rows, Index begin, Index end,
                                                Index scored) {
  if (const auto* tables = tables_of(layer))
    return tables->look_up(batch_, begin, end, rows.input, rows.statistics1, rows.qkv);
  const NormShape norm = norm_shape(table_.blocks[static_cast<size_t>(layer)].norm1);
  stream_.norm(norm, config_.d_model, begin, end, rows.input, rows.normed1, rows.statistics1);
  const int linear = linear_number(layer, kQkvLinear);
  if (begin < scored)
    stream_.linear_columns(linear, config_.d_model, 3 * config_.d_model, begin, scored, rows.normed1, rows.qkv);
  stream_.linear(linear, scored, end, rows.normed1, rows.qkv, {});
}

template <class Real>
void Transformer<Real>::head(Index begin, Index end) {
  const Index d = config_.d_model;
  const Rows<Real> input = scratch(kFinalInput, d);
  const Rows<Real> normed = config_.final_norm ? scratch(kFinalNormed, d) : input;
  if (config_.final_norm)
    stream_.norm(norm_shape(table_.final_norm), d, begin, end, input, normed, scratch(kFinalStatistics, 2));
  stream_.linear(head_number(), begin, end, normed, scratch(kLogits, config_.vocab_size), {});
}

// kLogits holds the gradient of the logits; kGradient becomes that of the last layer's output.
template <class Real>
void Transformer<Real>::head_backward(Index begin, Index end) {
  const Index d = config_.d_model;
  const Rows<Real> input = scratch(kFinalInput, d), dlogits = scratch(kLogits, config_.vocab_size),
                   dx = scratch(kGradient, d);
  stream_.linear_backward_weight(head_number(), begin, end, config_.final_norm ? scratch(kFinalNormed, d) : input,
                                 dlogits);
  if (config_.final_norm) {
    const Rows<Real> dnormed = scratch(kGradientHidden, d);
    stream_.linear_backward_input(head_number(), begin, end, dlogits, dnormed);
    stream_.norm_backward(norm_shape(table_.final_norm), d, begin, end, input, scratch(kFinalStatistics, 2), dnormed,
                          dx, false);
  } else {
    stream_.linear_backward_input(head_number(), begin, end, dlogits, dx);
  }
  stream_.clear(d, 0, begin, dx);  // ghost rows: nothing comes from the head
}

template <class Real>
void Transformer<Real>::backward(Index end, Index scored, Index scored_tile, Index end_tile) {
  for (int layer = config_.n_layers; layer-- > 0;) {
    const bool last = layer + 1 == config_.n_layers;
    backward_layer(layer, end, last ? scored : 0, last ? scored_tile : 0, end_tile);
  }
  const Index d = config_.d_model;
  Rows<Real> dx = scratch(kGradient, d);
  if (config_.embedding_norm) {
    const Rows<Real> embedded = scratch(kEmbedding, d), dembedded = scratch(kGradientHidden, d);
    stream_.norm_backward(norm_shape(table_.embedding_norm), d, 0, end, embedded, scratch(kEmbeddingStatistics, 2), dx,
                          dembedded, false);
    dx = dembedded;
  }
  stream_.embed_backward(table_.embedding, table_.position_embedding, 0, end, dx);
}

// kGradient holds the gradient of the layer's output and becomes that of its input.
template <class Real>
void Transformer<Real>::backward_layer(int layer, Index end, Index scored, Index scored_tile, Index end_tile) {
  const BlockParameters& block = table_.blocks[static_cast<size_t>(layer)];
  const LayerRows rows = layer_rows(layer);
  const Index d = config_.d_model;
  const Rows<Real> dx = scratch(kGradient, d), narrow = scratch(kGradientHidden, d),
                   wide = scratch(kGradientWide, config_.d_ff);

  stream_.linear_backward_weight(linear_number(layer, kDownLinear), scored, end, rows.hidden, dx);
  stream_.linear_backward_activate(linear_number(layer, kDownLinear), activation_of(config_), scored, end, dx,
                                   rows.hidden_before, wide);
  stream_.linear_backward_weight(linear_number(layer, kUpLinear), scored, end, rows.normed2, wide);
  stream_.linear_backward_input(linear_number(layer, kUpLinear), scored, end, wide, narrow);
  stream_.norm_backward(norm_shape(block.norm2), d, scored, end, rows.middle, rows.statistics2, narrow, dx, true);

  stream_.linear_backward_weight(linear_number(layer, kOutputLinear), scored, end, rows.attention, dx);
  stream_.linear_backward_input(linear_number(layer, kOutputLinear), scored, end, dx, narrow);
  const Rows<Real> dqkv = scratch(kGradientQkv, 3 * d);
  stream_.clear(3 * d, 0, scored, dqkv);
  stream_.attend_backward(scored_tile, end_tile, rows.qkv, narrow, saved_attention(layer, scored_tile, end_tile), dqkv);
  for (const auto& [first, last] : constant_rows_) stream_.clear(3 * d, first, last, dqkv);
  if (config_.position == Position::rope) stream_.rotate(0, end, dqkv, true);
  if (const auto* tables = tables_of(layer))
    return tables->add_gradient(batch_, 0, end, rows.input, rows.statistics1, rows.qkv, dqkv, dx, *gradient_);
  stream_.linear_backward_weight(linear_number(layer, kQkvLinear), 0, end, rows.normed1, dqkv);
  stream_.linear_backward_input(linear_number(layer, kQkvLinear), 0, end, dqkv, narrow);
  stream_.norm_backward(norm_shape(block.norm1), d, 0, end, rows.input, rows.statistics1, narrow, dx, true);
}

template class Transformer<float>;
template class Transformer<double>;

}  // namespace agpt
