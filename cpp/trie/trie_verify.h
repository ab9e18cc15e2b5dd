// Proves an index right, from its bytes and the text inside it. docs/verification.md has the argument.
#pragma once

#include <string>
#include <vector>

#include "cpp/trie/trie_index.h"

namespace agpt {

/// The violations found, one sentence each, the first 20 in full; none exactly if the file is what the builder makes of
/// its own text and options. Checked are the checksum, that the columns fit together, the form of the text, that a
/// recount from the text finds every path, mass and target that is stored and no other, and all totals. An imported
/// index has no text to compare with: verify_imported_index() does more.
std::vector<std::string> verify_trie_index(const TrieIndex& index);

/// Builds the index again from its text and compares the bytes: the same verdict by other means, at the cost of a build.
/// Names the columns that differ. Throws what build_trie_index() throws. n_threads = 0: as many as the machine has.
std::vector<std::string> verify_by_rebuilding(const TrieIndex& index, int n_threads = 0);

}  // namespace agpt
