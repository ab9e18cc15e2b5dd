// What follows the most frequent suffixes of paths, mixed over their own suffixes, ready to use: these mixtures are long
// and wanted for nearly every endpoint.
#pragma once

#include <span>
#include <unordered_map>
#include <vector>

#include "cpp/trie/trie_index.h"

namespace agpt {

/// Tokens with a weight each, in token order, and the sum of the shares that were mixed.
struct TokenMixture {
  struct Element {
    Token token;
    double weight;
  };
  std::vector<Element> elements;
  double total = 0;

  /// Adds the share ln(1 + N) of the distribution that the counts have, N their sum; nothing for N = 0.
  void add(std::span<const TokenCount> targets);
  /// Adds `factor` for each count.
  void add_counts(std::span<const TokenCount> targets, double factor);
};

/// Mixtures sum_j ln(1 + N_j) P_j over the suffixes of a path, itself included.
class SuffixMixtures {
 public:
  /// Of the `most_rows` heaviest rows, or of as many as a fixed amount of memory holds.
  SuffixMixtures(const TrieIndex& index, Index most_rows);

  /// The longest suffix of `path` that is here; its mixture has seen all shorter suffixes.
  struct Found {
    size_t length = 0;
    const TokenMixture* mixture = nullptr;  // of the empty mixture for length 0
  };
  Found longest(std::span<const Token> path) const;

 private:
  // A trie of reversed suffixes: state s with one more token in front.
  static uint64_t key(size_t state, Token front) { return static_cast<uint64_t>(state) << 32 | front; }

  std::vector<TokenMixture> mixtures_ = std::vector<TokenMixture>(1);  // by state; 0 is the empty suffix
  std::unordered_map<uint64_t, size_t> longer_;
};

}  // namespace agpt
