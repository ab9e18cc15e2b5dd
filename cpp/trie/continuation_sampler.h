// Draws continuations of contexts from the counts of an index: a language model without parameters.
#pragma once

#include "cpp/trie/trie_queries.h"

namespace agpt {

struct SampleOptions {
  Index n_tokens = 0;  ///< of each continuation
  uint64_t seed = 0;   ///< continuation i depends on the seed, i and its context alone
  /// False: each token is drawn from what follows the longest suffix of the text so far that is a row, which may be none
  /// of it. True: context and continuation are one path from the root, which ends where the trie does.
  bool exact = false;
};

/// Marks the end of a continuation that stops early.
inline constexpr int32_t kNoToken = -1;

/// Continuations (contexts * n_tokens), each token drawn with probability count / mass of the row that it follows;
/// kNoToken behind the end of one. Throws ArgumentError for options out of range.
std::vector<int32_t> sample_continuations(const TrieIndex& index, const PathBatch& contexts,
                                          const SampleOptions& options);

}  // namespace agpt
