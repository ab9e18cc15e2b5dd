// The walk of the reference, literally: from edge to edge over the nodes of a trie made of dictionaries.
#pragma once

#include "cpp/synth/synthesis.h"
#include "tests/cpp/trie/brute_force_trie.h"

namespace agpt {

class ReferenceWalk {
 public:
  ReferenceWalk(const BruteForceTrie& trie, const SynthesisOptions& options, Token space, Token newline)
      : trie_(trie), options_(options), space_(space), newline_(newline), state_(options.seed == 0 ? 1 : options.seed) {
    for (Index i = 0, n = static_cast<Index>(trie.nodes.size()); i < n; i = node(i).end) roots_.push_back(i);
    order(roots_);
  }

  std::vector<Token> text;
  Index wraps = 0, cut_wraps = 0;

  void run() {
    std::optional<Token> seed;
    while (!is_full() && walk(seed)) ++wraps;
  }

 private:
  using Node = BruteForceTrie::Node;

  const Node& node(Index i) const { return trie_.nodes[static_cast<size_t>(i)]; }
  bool is_full() const { return static_cast<Index>(text.size()) == options_.n_tokens; }
  void order(std::vector<Index>& siblings) const {
    std::stable_sort(siblings.begin(), siblings.end(),
                     [&](Index a, Index b) { return node(a).path.size() < node(b).path.size(); });
  }
  uint32_t edge_mass(Index i) const {
    const auto& path = node(i).path;
    return trie_.mass_of({path.begin(), path.begin() + node(i).parent_depth + 1});
  }
  std::vector<Index> children(Index parent) const {
    std::vector<Index> found;
    for (Index i = parent + 1; i < node(parent).end; i = node(i).end) found.push_back(i);
    order(found);
    return found;
  }

  size_t pick(const std::vector<uint32_t>& weights) {
    state_ ^= state_ << 13;
    state_ ^= state_ >> 7;
    state_ ^= state_ << 17;
    double total = 0, sum = 0;
    for (const uint32_t weight : weights) total += weight;
    const double u = static_cast<double>(static_cast<uint32_t>(state_)) / 4294967296.0 * total;
    for (size_t i = 0; i < weights.size(); ++i)
      if (u <= (sum += weights[i])) return i;
    return weights.size() - 1;
  }
  Index pick_node(const std::vector<Index>& nodes) {
    std::vector<uint32_t> weights;
    for (const Index i : nodes) weights.push_back(edge_mass(i));
    return nodes[pick(weights)];
  }

  // False once the text is full.
  bool print(const std::vector<Token>& tokens) {
    for (const Token token : tokens) {
      if (is_full()) return false;
      text.push_back(token);
    }
    return true;
  }

  // What a cut prints of the rest of a leaf's edge; empty if none applies.
  std::vector<Token> cut(Index leaf, const std::vector<Token>& rest) const {
    const bool single = edge_mass(leaf) == 1;
    if (options_.prune_mass1_head && single && !rest.empty()) return {rest.front()};
    if (options_.prune_mass1_space && single)
      for (size_t i = 0; i < rest.size(); ++i)
        if (rest[i] == space_ || rest[i] == newline_)
          return {rest.begin(), rest.begin() + static_cast<std::ptrdiff_t>(i + 1)};
    if (options_.space_cut)
      for (size_t i = rest.size(); i > 0; --i)
        if (rest[i - 1] == space_) return {rest.begin(), rest.begin() + static_cast<std::ptrdiff_t>(i)};
    return {};
  }

  Token bridge(const std::vector<TokenCount>& entries) {
    std::vector<TokenCount> by_count = entries;
    std::stable_sort(by_count.begin(), by_count.end(),
                     [](const TokenCount& a, const TokenCount& b) { return a.count > b.count; });
    if (options_.space_align)
      for (size_t i = 0; i < by_count.size() && static_cast<Index>(i) < options_.space_align_topk; ++i)
        if (by_count[i].token == space_) return space_;
    std::vector<uint32_t> counts;
    for (const TokenCount& entry : entries) counts.push_back(entry.count);
    return entries[pick(counts)].token;
  }

  // One walk; false if the text was full before it came to its end. Leaves the seed of the next.
  bool walk(std::optional<Token>& seed) {
    std::vector<Index> candidates;
    for (const Index root : roots_)
      if (seed && node(root).path.front() == *seed) candidates.push_back(root);
    int n_matched = candidates.empty() ? 0 : 1;
    Index current = pick_node(candidates.empty() ? roots_ : candidates);
    for (;; n_matched = 0) {
      const auto& path = node(current).path;
      const std::vector<Token> rest(path.begin() + node(current).parent_depth + n_matched, path.end());
      const std::vector<Index> below = children(current);
      if (!below.empty()) {
        if (!print(rest)) return false;
        current = pick_node(below);
        continue;
      }
      const std::vector<Token> kept = cut(current, rest);
      if (is_full()) return false;
      cut_wraps += !kept.empty();
      if (!print(kept.empty() ? rest : kept)) return false;
      seed = kept.empty() ? bridge(node(current).targets) : kept.back();
      return !kept.empty() || print({*seed});
    }
  }

  const BruteForceTrie& trie_;
  const SynthesisOptions& options_;
  Token space_, newline_;
  uint64_t state_;
  std::vector<Index> roots_;
};

}  // namespace agpt
