// Proves an index consistent, from its bytes and the text inside it.
#pragma once

#include <string>
#include <vector>

#include "cpp/trie/trie_index.h"

namespace agpt {

/// The violations found, one sentence each, the first 20 in full; empty if the index is good. Checked are the checksum,
/// the shape of the tree (edges, siblings in order, subtree sizes, the columns for random access), that each path
/// stands in the text where it says and is followed by something, that masses add up from targets to parents to starts,
/// that no start is lost (a sample of up to 65,536), and all totals.
std::vector<std::string> verify_trie_index(const TrieIndex& index);

}  // namespace agpt
