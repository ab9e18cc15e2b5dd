// The forward and backward pass of the model over a batch of rows, in terms of a backend's operations. All rows of a
// batch go through a layer at once; only attention knows that they are a forest.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "cpp/backend/backend.h"
#include "cpp/model/model_config.h"
#include "cpp/model/parameter_table.h"
#include "cpp/rows/row_batch.h"
#include "cpp/train/first_layer_table.h"

namespace agpt {

/// What a backend must know of this model.
ModelShape model_shape(const ModelConfig& config, const ParameterTable& table);

/// The first layer's queries, keys and values among the linear layers of model_shape().
constexpr int kFirstQkvLinear = 0;

/// A norm of this model as the backend sees it.
NormShape norm_shape(const ModelConfig& config, const NormParameters& parameters);

/// The arrays of a batch as the backend sees them; the batch must have its tiles and must outlive the view.
BatchView view_of(const RowBatch& batch);

/// An intermediate result of the forward pass: a matrix of the stream's scratch memory, by the rows of the batch.
template <class Real>
struct StageView {
  std::string name;
  Rows<Real> values;
  Index columns = 0;
};

/// One model on one stream. Not thread-safe: one Transformer per worker.
template <class Real>
class Transformer {
 public:
  /// Where `first_layer` is given and on, gradients are complete after its finish().
  Transformer(const ModelConfig& config, const ParameterTable& table, Stream<Real>& stream,
              const FirstLayerTable<Real>* first_layer = nullptr);

  /// Adds to the stream's running loss the sum over the batch's rows of their weighted cross-entropy, in nats.
  void add_loss(const RowBatch& batch);

  /// That of each row apart: losses (rows), overwritten; 0 for rows without targets. The running loss stays as it is.
  void row_losses(const RowBatch& batch, std::vector<double>& losses);

  /// Adds to the stream's running loss, and to `gradient` the gradient of what it adds with respect to all parameters.
  /// Both are sums: they are divided by the total weight once per step, by whoever knows the step.
  void add_loss_and_gradient(const RowBatch& batch, Gradient<Real>& gradient);

  /// Logits of the rows [scored, end) of a batch whose rows before `begin` went through this call earlier: their keys
  /// and values are kept, so a sequence grows row by row without recomputing (a KV cache). A tile must end before row
  /// `scored`. `capacity` rows are kept in all; it must not grow between the calls of one sequence. Row r of the batch
  /// has its logits in row r of the result. stages() needs `keeps_stages`: otherwise layers use the same memory in turn.
  Rows<Real> logits(const RowBatch& batch, Index begin, Index scored, Index capacity, bool keeps_stages = false);

  /// What the last logits() computed on its way, in order, named after the parameters: the embedding, the parts of each
  /// block, the logits. The columns of q and k of attention.qkv are rotated where positions are rotary; mlp.up, the
  /// hidden row before its activation, is left out for relu, which works in place. Valid until the next call.
  std::vector<StageView<Real>> stages();

 private:
  /// Scratch slots of the whole model; each layer has kSlotsPerLayer more.
  enum Slot {
    kEmbedding,
    kEmbeddingStatistics,
    kLogits,
    kFinalInput,
    kFinalNormed,
    kFinalStatistics,
    kGradient,
    kGradientHidden,
    kGradientWide,
    kGradientQkv,
    kFirstLayerSlot
  };
  enum LayerSlot {
    kInput,
    kNormed1,
    kStatistics1,
    kQkv,
    kAttention,
    kSaved,
    kMiddle,
    kNormed2,
    kStatistics2,
    kHiddenBefore,
    kHidden,
    kSlotsPerLayer
  };

  struct LayerRows {
    Rows<Real> input, normed1, statistics1, qkv, attention, middle, normed2, statistics2, hidden_before, hidden;
  };

  /// Memory for the rows at work, by their numbers in the batch: nothing is there of the rows before them.
  Rows<Real> scratch(int slot, Index columns) { return stream_.scratch(slot, n_rows_, columns).from(-first_row_); }
  int slot_of(int layer, LayerSlot slot) const;
  LayerRows layer_rows(int layer);
  /// What a layer reads; behind the last one, what the head does.
  Rows<Real> input_of(int layer);
  Real* saved_attention(int layer, Index first_tile, Index end_tile);
  int linear_number(int layer, int which) const {
    return 4 * layer + which;
  }  // order of model_shape(): qkv, output, up, down
  int head_number() const { return 4 * config_.n_layers; }
  NormShape norm_shape(const NormParameters& parameters) const { return agpt::norm_shape(config_, parameters); }

  /// What of a layer is there when the next one is done.
  enum class Kept { nothing, keys_and_values, everything };
  /// The rows from `first_row` on are at work; keys and values are kept of `capacity` rows.
  void begin(const RowBatch& batch, Gradient<Real>* gradient, Kept kept, Index first_row, Index capacity);
  /// Computes the logits of all rows that have targets.
  void scored_logits(const RowBatch& batch, Gradient<Real>* gradient);
  /// Cross-entropy of the rows [begin, end), whose logits are computed.
  void cross_entropy(Index begin, Index end, bool gradient) {
    stream_.cross_entropy(config_.vocab_size, begin, end, scratch(kLogits, config_.vocab_size), gradient);
  }
  /// The tables of the first layer, if they are on.
  const EmbeddingTables<Real>* tables_of(int layer) const {
    return layer > 0 || first_layer_ == nullptr ? nullptr : first_layer_->tables();
  }
  /// Whether the last layer's keys and values cost more than absorbed_attention() of the few rows that need them.
  bool absorbing_pays(const RowBatch& batch) const;
  /// Runs the layers over [begin, end); behind the last layer's keys and values only the rows from `scored` on.
  void forward(Index begin, Index end, Index scored, Index first_tile, Index scored_tile, Index end_tile);
  void forward_layer(int layer, Index begin, Index end, Index scored, Index first_tile, Index end_tile);
  /// attention of the tiles [first_tile, end_tile), whose rows begin at `scored` and whose keys at `begin`.
  void attend(int layer, const LayerRows& rows, Index begin, Index end, Index scored, Index first_tile, Index end_tile);
  void attend_absorbed(int layer, const LayerRows& rows, Index begin, Index end, Index scored, Index first_tile,
                       Index end_tile);
  /// qkv of the rows [begin, end) before rotation; of those before `scored` the queries need not be computed.
  void queries_keys_and_values(int layer, const LayerRows& rows, Index begin, Index end, Index scored);
  void head(Index begin, Index end);
  void head_backward(Index begin, Index end);
  void backward(Index end, Index scored, Index scored_tile, Index end_tile);
  void backward_layer(int layer, Index end, Index scored, Index scored_tile, Index end_tile);

  const ModelConfig& config_;
  const ParameterTable& table_;
  Stream<Real>& stream_;
  const FirstLayerTable<Real>* const first_layer_;
  BatchView batch_;
  Gradient<Real>* gradient_ = nullptr;
  Index first_row_ = 0, n_rows_ = 0;  // the rows at work
  Index capacity_ = 0;
  Kept kept_ = Kept::everything;
  bool absorbs_last_layer_ = false;
  /// Runs of rows [begin, end) whose keys and values are constants.
  std::vector<std::pair<Index, Index>> constant_rows_;
};

}  // namespace agpt
