// What all exports share: what a format asks of an index and its text, and the fields that every format has.
#pragma once

#include <string>

#include "cpp/interchange/output_folder.h"
#include "cpp/trie/trie_index.h"

namespace agpt {

/// Tokens of the text that the trie was made from, which an imported index does not have.
Index n_source_tokens(const TrieIndex& index);

/// Throws ArgumentError, saying what `what` is, unless the index is of a running text and of every start.
void require_every_start(const TrieIndex& index, const std::string& what);

/// Throws ArgumentError, saying what `what` is, if the index was pruned.
void require_unpruned(const TrieIndex& index, const std::string& what);

/// The index of the same text, depth and starts, without pruning and with all edges at the end of the text.
TrieIndex rebuild_whole(const TrieIndex& index);

/// The end of every file that describes a trie: tokens, size of the vocabulary, hash, name of the tokenizer.
void write_source(const TrieIndex& index, RecordWriter& file);

/// Their number, then each token with its count.
void write_entries(std::span<const TokenCount> entries, RecordWriter& file);

}  // namespace agpt
