// Targets of endpoints that borrow from shorter contexts: what follows the suffixes of a path is mixed into what follows
// the path itself. With a share above 0 the loss is no longer that of the corpus windows: targets are smoother than the
// text is.
#pragma once

#include <span>
#include <vector>

#include "cpp/rows/row_batch.h"
#include "cpp/rows/suffix_mixtures.h"
#include "cpp/trie/trie_index.h"

namespace agpt {

/// Let p be the path of an endpoint, k tokens long, of weight w and mass N, and P its distribution n(p, .) / N. Its
/// targets weigh
///   w ((1 - share) P + share sum_j lambda_j P_j),   lambda_j = ln(1 + N_j) / sum_i ln(1 + N_i),
/// where P_j is the distribution of the suffix of j = 1 .. k tokens of p, and N_j its mass (0 if the index does not hold
/// it). The sum is that of the reference's option --blend-alpha.
struct Blending {
  double share = 0;      ///< from 0 to 1
  Index least_mass = 1;  ///< endpoints of less mass keep their own targets
};

/// Makes the targets of rows; may be used by several threads at once.
class TargetBlend {
 public:
  /// The index must outlive the object. What follows the `n_ready` most frequent suffixes is kept ready; the others are
  /// looked up. Throws ArgumentError for a value out of range, and where suffixes of paths say nothing because paths
  /// begin with documents.
  TargetBlend(const TrieIndex& index, const Blending& blending, Index n_ready = 1 << 14);

  /// Adds the targets of the row of `path`, which must be one of the index, to the open row of the batch; their weights
  /// sum to `weight`. Rows inside an edge keep their one target.
  void add_targets(std::span<const Token> path, double weight, RowBatch& batch) const;
  /// The same for an endpoint, where it is known what follows it.
  void add_targets(std::span<const Token> path, std::span<const TokenCount> own, double weight, RowBatch& batch) const;

 private:
  TokenMixture mixture_of_suffixes(std::span<const Token> path, double own_count) const;

  const TrieIndex& index_;
  const Blending blending_;
  const bool suffixes_occur_as_often_;  // or more often: every place of a path is one of each of its suffixes
  const SuffixMixtures frequent_;
};

}  // namespace agpt
