#include "cpp/synth/uniform_leaves.h"

#include <algorithm>

namespace agpt {

UniformLeaves::UniformLeaves(const TrieIndex& index, const LeafTable& leaves, uint64_t seed)
    : random_(seed),
      reserved_(static_cast<size_t>(index.n_starts()) * sizeof(uint32_t), "the starts of the synthesis") {
  leaf_of_start_.reserve(static_cast<size_t>(index.n_starts()));
  for (uint32_t leaf = 0; leaf < leaves.size(); ++leaf) {
    const Token first = index.token(leaves[leaf].text);
    if (roots_.empty() || roots_.back().token != first)
      roots_.push_back({first, static_cast<uint32_t>(leaf_of_start_.size())});
    leaf_of_start_.insert(leaf_of_start_.end(), leaves[leaf].mass, leaf);
  }
  roots_.push_back({0, static_cast<uint32_t>(leaf_of_start_.size())});
}

std::optional<uint32_t> UniformLeaves::choose(std::optional<Token> first) {
  uint32_t begin = 0, end = roots_.back().begin;
  if (first) {
    const auto root = std::lower_bound(roots_.begin(), roots_.end() - 1, *first,
                                       [](const Root& r, Token token) { return r.token < token; });
    if (root == roots_.end() - 1 || root->token != *first) return std::nullopt;
    begin = root->begin;
    end = (root + 1)->begin;
  }
  return leaf_of_start_[begin + random_.below(end - begin)];
}

const TokenCount& UniformLeaves::choose(std::span<const TokenCount> followers, uint32_t mass) {
  return choose_by_count(followers, mass, random_);
}

}  // namespace agpt
