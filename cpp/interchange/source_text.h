// What an export asks of an index: which text and starts it must come from.
#pragma once

#include <string>

#include "cpp/trie/trie_index.h"

namespace agpt {

/// Tokens of the text that the trie was made from, which an imported index does not have.
Index n_source_tokens(const TrieIndex& index);

/// Throw ArgumentError, saying that `what` needs it, unless the index is of a running text and of every start; unless
/// it has the text that it was made from.
void require_every_start(const TrieIndex& index, const std::string& what);
void require_text(const TrieIndex& index, const std::string& what);

/// The index of the same text, depth and starts without pruning.
TrieIndex rebuild_unpruned(const TrieIndex& index);

}  // namespace agpt
