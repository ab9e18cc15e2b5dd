// Proves reference tries consistent, as far as their formats allow without the text.
#pragma once

#include <string>
#include <vector>

#include "cpp/interchange/path_trie_reader.h"
#include "cpp/interchange/radix_reader.h"

namespace agpt {

/// The violations found, one sentence each, the first 20 in full; empty if the trie is good.
///
/// Radix: totals of meta.bin; each edge begins where its parent ends, and no parent is at the cap; siblings begin with
/// different tokens, each an entry of the parent; at least two entries above the cap; masses against entries of parents
/// and of endpoints; the mass at the cap against the length of the text; subtree files against the records and the
/// manifest. Whether an edge is missing because it was pruned cannot be told from one that was lost, but for its mass.
std::vector<std::string> verify_radix_trie(const RadixTrie& trie);

/// Siblings have different tokens, each an entry of the parent; masses against the entries of parents; the mass of each
/// depth against the length of the text, if the trie is of every start.
std::vector<std::string> verify_path_trie(const PathTrie& trie);

}  // namespace agpt
