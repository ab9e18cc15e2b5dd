#include "cpp/synth/leaf_table.h"

#include "cpp/base/error.h"
#include "cpp/trie/trie_walk.h"

namespace agpt {

LeafTable::LeafTable(const TrieIndex& index) {
  AGPT_REQUIRE(index.n_nodes() > 0, "the index has no paths to write: build it from a longer text, or prune less");
  const size_t n_leaves = index.columns().leaf_start.size();
  reserved_ = MemoryReservation(n_leaves * sizeof(Leaf), "the leaves of the trie");
  leaves_.reserve(n_leaves);
  TrieWalk walk(index, 0);
  for (TrieEdge edge; walk.next(edge);) {
    if (!index.is_leaf(edge.node)) continue;
    Leaf leaf{static_cast<uint32_t>(edge.text),
              edge.mass,
              kOneFollower,
              static_cast<uint8_t>(edge.depth),
              static_cast<uint8_t>(edge.parent_depth),
              walk.row_mass(edge.parent_depth + 1) == 1};
    if (edge.mass > 1) {
      const std::span<const TokenCount> targets = walk.targets();
      if (targets.size() > 1) {
        leaf.followers = static_cast<uint32_t>(followers_.size());
        followers_.push_back({0, static_cast<uint32_t>(targets.size())});
        followers_.insert(followers_.end(), targets.begin(), targets.end());
      }
    }
    leaves_.push_back(leaf);
  }
}

}  // namespace agpt
