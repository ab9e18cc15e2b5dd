#include "cpp/synth/leaf_table.h"

#include "cpp/base/error.h"

namespace agpt {

LeafTable::LeafTable(const TrieIndex& index, Ends ends) {
  AGPT_REQUIRE(index.n_nodes() > 0, "the index has no paths to write: build it from a longer text, or prune less");
  const IndexColumns& columns = index.columns();
  const size_t n_targets = ends == Ends::leaves ? 0 : columns.childless_node.size();
  reserved_ = MemoryReservation((columns.leaf_start.size() + n_targets) * sizeof(Leaf), "the leaves of the trie");
  leaves_.reserve(columns.leaf_start.size() + n_targets);
  std::vector<TokenCount> childless;
  size_t next_childless = 0;
  TrieWalk walk(index, 0);
  for (TrieEdge edge; walk.next(edge);) {
    if (index.is_leaf(edge.node)) {
      auto followers = edge.mass > 1 ? walk.targets() : std::span<const TokenCount>();
      if (followers.size() == 1) followers = {};  // the text tells it
      add(edge, edge.mass, walk.row_mass(edge.parent_depth + 1) == 1, followers);
      continue;
    }
    if (ends == Ends::leaves) continue;
    uint32_t mass = 0;
    childless.clear();
    while (next_childless < n_targets && columns.childless_node[next_childless] < edge.node) ++next_childless;
    for (; next_childless < n_targets && columns.childless_node[next_childless] == edge.node; ++next_childless) {
      const auto i = static_cast<Index>(next_childless);
      childless.push_back({columns.childless_token[i], columns.childless_count[i]});
      mass += childless.back().count;
    }
    if (mass > 0) add(edge, mass, false, childless);
  }
}

void LeafTable::add(const TrieEdge& edge, uint32_t mass, bool is_single, std::span<const TokenCount> followers) {
  Leaf leaf{static_cast<uint32_t>(edge.text),        mass,     kOneFollower, static_cast<uint8_t>(edge.depth),
            static_cast<uint8_t>(edge.parent_depth), is_single};
  if (!followers.empty()) {
    leaf.followers = static_cast<uint32_t>(followers_.size());
    followers_.push_back({mass, static_cast<uint32_t>(followers.size())});
    followers_.insert(followers_.end(), followers.begin(), followers.end());
  }
  leaves_.push_back(leaf);
}

}  // namespace agpt
