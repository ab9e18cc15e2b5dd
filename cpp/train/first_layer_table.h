// The first layer's queries, keys and values by token, or by token and position where positions are learned: before
// rotation they depend on nothing else. Where there are fewer of those than rows that share parameters and a gradient, a
// row for each is computed once, and rows of batches look theirs up. Exact; the gradient is the sum over the rows of
// each token, sent through the linear layer and the norm once (12 % of the matrix work of two layers). Tables by
// position, which are large, are made only where no gradient is asked for.
#pragma once

#include "cpp/backend/backend.h"
#include "cpp/model/model_config.h"
#include "cpp/model/parameter_table.h"
#include "cpp/rows/row_batch.h"

namespace agpt {

template <class Real>
class FirstLayerTable {
 public:
  /// qkv_linear: the number of the first layer's linear layer. The table takes the stream's scratch slots from
  /// `first_slot` on, kSlots of them.
  FirstLayerTable(const ModelConfig& config, const ParameterTable& table, Stream<Real>& stream, int qkv_linear,
                  int first_slot);

  /// Scratch slots: embedding, norm, statistics, qkv, and the gradients of qkv, norm and embedding.
  static constexpr int kSlots = 7;

  /// Computes the table with the present parameters where that saves work over `n_rows` rows, which have a gradient or
  /// not; otherwise the table is off. Batches must begin after it.
  void start(Index n_rows, bool has_gradient);
  bool is_on() const { return is_on_; }
  /// Whether a start() may turn it on at all.
  bool is_possible() const { return n_rows_ > 0; }

  /// qkv of the rows [begin, end) of the stream's batch.
  void look_up(Index begin, Index end, Rows<Real> qkv) {
    const Index position_step = config_.position == Position::learned ? config_.vocab_size : 0;
    stream_.token_tables()->look_up(3 * config_.d_model, position_step, begin, end, rows(kQkv), qkv);
  }
  void add_gradient(Index begin, Index end, Rows<Real> dqkv) {
    stream_.token_tables()->add_by_token(3 * config_.d_model, begin, end, dqkv, rows(kQkvGradient));
  }

  /// Adds to `gradient` what add_gradient() collected since start(has_gradient = true), if it is not null, and turns
  /// the table off. Does nothing if it is off.
  void finish(Gradient<Real>* gradient);

 private:
  enum Slot { kEmbedding, kNormed, kStatistics, kQkv, kQkvGradient, kNormedGradient, kEmbeddingGradient };

  Rows<Real> rows(Slot slot);
  /// Whether a table pays for so many rows.
  bool pays(Index n_rows, bool has_gradient) const;
  /// One row for every token, at every position where positions are learned.
  void make_rows();

  const ModelConfig& config_;
  const ParameterTable& table_;
  Stream<Real>& stream_;
  const int qkv_linear_, first_slot_;
  Index n_rows_ = 0;  // of the table; 0 where the model or the stream has no use for it
  RowBatch tokens_;   // its rows, made when they are first needed
  bool is_on_ = false;
};

}  // namespace agpt
