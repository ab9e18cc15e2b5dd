// Where in the text a path occurs.
#pragma once

#include <span>
#include <vector>

#include "cpp/trie/trie_index.h"

namespace agpt {

/// The starts that run through `path` and are followed by something, ascending: as many as index.count(path), or the first
/// `limit` of them (below 0: all). Positions are those of index.tokens(), which is backwards if the index is reversed.
///
/// If the leaves below the path have one start each, these are collected: O(count log count). Otherwise (contexts that
/// repeat over the full depth, pruned edges, the end of the text) or where it promises to be faster, because `limit` is
/// small, the text is searched: O(n_tokens), sublinear for long paths.
std::vector<Index> find_occurrences(const TrieIndex& index, std::span<const Token> path, Index limit = -1);

}  // namespace agpt
