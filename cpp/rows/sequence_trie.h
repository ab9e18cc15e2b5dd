// A prefix tree of token sequences of any origin and length, with a weight for each prediction: prompts with several
// completions, games, trajectories. It holds its rows as they are, in pre-order, because weights differ from row to row.
#pragma once

#include <optional>
#include <span>
#include <vector>

#include "cpp/corpus/vocabulary.h"
#include "cpp/rows/row_batch.h"

namespace agpt {

/// Sequences one after another. weight[i] is the weight of predicting tokens[i] from the tokens before it in its
/// sequence; that of a first token means nothing.
struct WeightedSequences {
  std::vector<Token> tokens;
  std::vector<double> weight;      // (tokens)
  std::vector<Index> begin = {0};  // (sequences + 1)

  /// token_weights: (tokens), or empty for all 1; each is multiplied by `sequence_weight`. Throws ArgumentError if the
  /// weights are not numbers of at least 0, or their number is not that of the tokens.
  void add(std::span<const Token> sequence, double sequence_weight = 1, std::span<const double> token_weights = {});
};

class SequenceTrie {
 public:
  /// Weights of equal predictions are added up. Nothing behind the last token of positive weight of a sequence is kept.
  /// Without `share` every sequence has rows of its own, which is for measuring what sharing saves. Throws ArgumentError
  /// for a token outside the vocabulary, or if there is nothing to predict.
  SequenceTrie(const WeightedSequences& sequences, Vocabulary vocabulary, bool share = true);

  const Vocabulary& vocabulary() const { return vocabulary_; }
  /// Distinct prefixes that something is predicted from, or that lead to one.
  Index n_rows() const { return static_cast<Index>(token_.size()); }
  /// Rows with a prediction of positive weight.
  Index n_positions() const { return n_positions_; }
  /// The rows that the sequences have one by one.
  Index n_flat_rows() const { return n_flat_rows_; }
  Index n_sequences() const { return n_sequences_; }
  /// Length of the longest path.
  int depth() const { return depth_; }
  /// Sum of all weights.
  double total_weight() const { return total_weight_; }
  /// Of tokens and weights.
  uint64_t hash() const { return hash_; }

  /// Appends the ancestors of row `begin` as ghost rows and the rows [begin, end) to the batch.
  void append(Index begin, Index end, RowBatch& batch) const;
  /// Cuts the rows into batches of about `size` rows, half to three times as many, so that few ancestors are computed again:
  /// batch i has the rows [cuts[i], cuts[i + 1]).
  std::vector<Index> cuts(Index size) const;

 private:
  void add_rows(std::span<const Token> sequence, size_t n_shared, std::vector<int32_t>& path);

  Vocabulary vocabulary_;
  std::vector<Token> token_;         // (rows)
  std::vector<int32_t> parent_;      // (rows) -1 for the first tokens
  std::vector<int32_t> row_depth_;   // (rows)
  std::vector<Index> target_begin_;  // (rows + 1)
  std::vector<Token> target_token_;  // of positive weight
  std::vector<double> target_weight_;
  Index n_positions_ = 0, n_flat_rows_ = 0, n_sequences_ = 0;
  int depth_ = 0;
  double total_weight_ = 0;
  uint64_t hash_ = 0;
};

}  // namespace agpt
