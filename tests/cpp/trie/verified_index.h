// Indexes for tests, each proved right beside what the test looks at.
#pragma once

#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "cpp/trie/index_builder.h"
#include "cpp/trie/trie_verify.h"

namespace agpt {

/// build_trie_index(), verified.
inline TrieIndex build_verified_index(const Corpus& corpus, const IndexOptions& options, int n_threads = 0) {
  TrieIndex index = build_trie_index(corpus, options, n_threads);
  CHECK(verify_trie_index(index) == std::vector<std::string>{});
  return index;
}

}  // namespace agpt
