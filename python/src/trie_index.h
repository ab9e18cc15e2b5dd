// The parts of the binding of TrieIndex that have a file of their own.
#pragma once

#include "cpp/trie/trie_index.h"
#include "python/src/bindings.h"

void bind_trie_profile(nb::class_<agpt::TrieIndex>& index);
void bind_trie_queries(nb::class_<agpt::TrieIndex>& index);
void bind_trie_nodes(nb::module_& m, nb::class_<agpt::TrieIndex>& index);
