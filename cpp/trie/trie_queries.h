// Questions about many paths at once, and walking between nodes.
#pragma once

#include <span>
#include <vector>

#include "cpp/trie/trie_index.h"

namespace agpt {

/// Paths one behind the other: path i is tokens[begin[i] .. begin[i + 1]).
struct PathBatch {
  std::vector<Token> tokens;
  std::vector<size_t> begin = {0};

  size_t size() const { return begin.size() - 1; }
  std::span<const Token> operator[](size_t i) const {
    return std::span(tokens).subspan(begin[i], begin[i + 1] - begin[i]);
  }
};

/// TrieIndex::count() of each path.
std::vector<Index> count_paths(const TrieIndex& index, const PathBatch& paths);
/// TrieIndex::longest_match() of each path.
std::vector<Index> match_paths(const TrieIndex& index, const PathBatch& paths);

/// Rows of (token, count), compressed: row i is elements row_begin[i] .. row_begin[i + 1], in token order.
struct SparseCounts {
  std::vector<Index> row_begin;
  std::vector<Token> tokens;
  std::vector<Index> counts;
};
/// TrieIndex::next_counts() of each path; an empty row for a path that does not occur.
SparseCounts next_counts_of_paths(const TrieIndex& index, const PathBatch& paths);
/// The same as shares of 1: distributions (paths * vocabulary_size(), all 0) gets a row for each path; that of a path that
/// does not occur stays 0.
void next_distributions_of_paths(const TrieIndex& index, const PathBatch& paths, std::span<float> distributions);

/// The node above, -1 for a child of the root. One binary search.
Index parent_of(const TrieIndex& index, Index node);
/// The nodes right below, in token order; of the root for node = -1.
std::vector<Index> children_of(const TrieIndex& index, Index node);
/// The nodes from a child of the root down to `node`; none for node = -1.
std::vector<Index> nodes_down_to(const TrieIndex& index, Index node);
/// Tokens from the root to the endpoint.
std::vector<Token> path_of(const TrieIndex& index, Index node);

}  // namespace agpt
