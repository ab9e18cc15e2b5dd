// Windows of text whose targets come from a trie: what follows the window's context wherever it occurs, in place of the
// one token that follows it here. A row of context p then has the loss CE(n(p, .) / N_p, softmax), which is the mean over
// the N_p occurrences of p of the loss of the one token: the expected gradient over windows is the same, and its variance
// is less by what the occurrences of a context differ in.
#pragma once

#include <memory>
#include <vector>

#include "cpp/rows/row_batch.h"
#include "cpp/rows/target_blend.h"
#include "cpp/trie/trie_index.h"

namespace agpt {

class TrieWindows {
 public:
  /// The index must outlive the object; `blend` is of the same. Throws ArgumentError unless all of its text's windows
  /// begin at its starts.
  explicit TrieWindows(const TrieIndex& index, std::shared_ptr<const TargetBlend> blend = nullptr);

  /// Appends the rows of tokens [start, start + n_rows) of the index's text, each of weight 1. Contexts that the trie
  /// does not hold, because they are longer than it is deep or were pruned, have the token that follows them.
  void append(Index start, Index n_rows, RowBatch& batch) const;

 private:
  std::vector<Index> path_of_start(Index start, Index n_rows) const;

  const TrieIndex& index_;
  const std::shared_ptr<const TargetBlend> blend_;
};

}  // namespace agpt
