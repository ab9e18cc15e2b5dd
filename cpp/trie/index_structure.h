// Proves that the columns of an index fit together, so that no use of it can leave the file.
#pragma once

#include <optional>
#include <span>
#include <string>

#include "cpp/trie/index_layout.h"

namespace agpt {

/// The first contradiction between columns, as the end of a sentence; nothing if they fit together. One pass over the
/// nodes and the tokens. Proved are
///   - every token, label and target is in the vocabulary, and the gaps between columns are zero;
///   - parent depths describe a tree in pre-order, of exactly the leaves and subtree sizes that the file states, whose
///     rows are counted right;
///   - every path, with the token that follows it, lies in the text;
///   - elements of sparse columns are in order and belong to nodes that can have them.
/// Whether paths and masses are those of the text is another matter: see verify_trie_index().
std::optional<std::string> find_structure_fault(const IndexHeader& header, const IndexColumns& columns,
                                                std::span<const std::byte> image);

}  // namespace agpt
