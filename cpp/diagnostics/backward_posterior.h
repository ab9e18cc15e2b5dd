// What precedes a context: the distribution of the token before it, from the paths of an index.
#pragma once

#include <vector>

#include "cpp/trie/trie_index.h"

namespace agpt {

/// Every path of `length` tokens is a token and the context behind it. The arrays have one element for each distinct
/// context, in lexicographic order. Counted are the masses of the paths: how often each is followed by something.
struct BackwardPosterior {
  Index n_paths = 0;
  std::vector<uint32_t> start;    // where the context stands in the tokens of the index
  std::vector<uint32_t> mass;     // of all its paths
  std::vector<uint32_t> support;  // how many tokens precede it
  std::vector<double> entropy;    // of the token before it, in nats
};

/// Throws ArgumentError unless 1 <= length <= index.depth(), and MemoryCapError. At length 1 the context is empty.
BackwardPosterior backward_posterior(const TrieIndex& index, int length);

}  // namespace agpt
