// Proves an imported index consistent, which has no text to be counted again from.
#pragma once

#include <string>
#include <vector>

#include "cpp/trie/trie_index.h"

namespace agpt {

/// The violations found, one sentence each; none exactly if the file is what an import of its own nodes makes: shape,
/// masses, targets, totals and the text of the paths agree to the last byte. Whether the nodes are those of the original
/// files is not known. Memory is that of the index and some 40 bytes a node.
std::vector<std::string> verify_imported_index(const TrieIndex& index);

}  // namespace agpt
