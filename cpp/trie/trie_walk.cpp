#include "cpp/trie/trie_walk.h"

namespace agpt {

TrieWalk::TrieWalk(const TrieIndex& index, Index first_node)
    : index_(&index),
      node_(first_node),
      leaf_(index.leaf_rank(first_node)),
      mass_overflow_(first_at_least(index.columns_.mass.at, node_ - leaf_)),
      heavy_(first_at_least(index.columns_.heavy_leaf, leaf_)),
      short_leaf_(first_at_least(index.columns_.short_leaf_node, node_)),
      childless_(first_at_least(index.columns_.childless_node, node_)),
      ended_end_(first_at_least(index.columns_.ended_node, node_)) {}

bool TrieWalk::next(TrieEdge& edge) {
  const IndexColumns& columns = index_->columns_;
  if (node_ >= index_->n_nodes()) return false;
  const auto node = static_cast<size_t>(node_);
  const int parent_depth = columns.parent_depth[node], next_parent_depth = columns.parent_depth[node + 1];
  edge.node = node_;
  edge.parent_depth = parent_depth;
  edge.text =
      columns.leaf_start[static_cast<size_t>(leaf_)];  // a node's text is that of its first leaf, the next in pre-order
  own_childless_ = childless_;
  while (childless_ < columns.childless_node.size() && columns.childless_node[childless_] == node_) ++childless_;
  own_heavy_ = false;
  if (next_parent_depth > parent_depth) {  // the next node is a child: this one is interior
    edge.depth = next_parent_depth;
    mass_ = columns.mass.small[static_cast<size_t>(node_ - leaf_)];
    if (mass_ == 255) mass_ = columns.mass.value[mass_overflow_++];
  } else {
    edge.depth = index_->depth();
    if (short_leaf_ < columns.short_leaf_node.size() && columns.short_leaf_node[short_leaf_] == node_)
      edge.depth = columns.short_leaf_depth[short_leaf_++];
    mass_ = read_leaf_mass();
    ++leaf_;
  }
  ended_begin_ = ended_end_;
  while (ended_end_ < columns.ended_node.size() && columns.ended_node[ended_end_] == node_) ++ended_end_;
  edge.mass = mass_;
  text_ = edge.text;
  depth_ = edge.depth;
  ++node_;
  return true;
}

uint32_t TrieWalk::read_leaf_mass() {
  const IndexColumns& columns = index_->columns_;
  uint32_t mass = 0;
  if (heavy_ < columns.heavy_leaf.size() && columns.heavy_leaf[heavy_] == leaf_) {
    own_heavy_ = true;
    for (uint32_t i = columns.heavy_begin[heavy_]; i < columns.heavy_begin[heavy_ + 1]; ++i)
      mass += columns.entry_count[i];
    ++heavy_;
    return mass;
  }
  for (size_t i = own_childless_; i < childless_; ++i) mass += columns.childless_count[static_cast<Index>(i)];
  return own_childless_ < childless_ ? mass : 1;
}

std::span<const TokenCount> TrieWalk::targets(std::vector<TokenCount>& targets) const {
  const IndexColumns& columns = index_->columns_;
  const Index node = node_ - 1;
  targets.clear();
  if (columns.parent_depth[static_cast<size_t>(node_)] > columns.parent_depth[static_cast<size_t>(node)]) {
    index_->interior_targets(node, own_childless_, childless_, targets);
  } else if (own_heavy_) {
    for (uint32_t i = columns.heavy_begin[heavy_ - 1]; i < columns.heavy_begin[heavy_]; ++i)
      targets.push_back({columns.entry_token[i], columns.entry_count[i]});
  } else if (own_childless_ < childless_) {
    for (auto i = static_cast<Index>(own_childless_); i < static_cast<Index>(childless_); ++i)
      targets.push_back({columns.childless_token[i], columns.childless_count[i]});
  } else {
    targets.push_back({columns.tokens[text_ + depth_], 1});
  }
  return targets;
}

}  // namespace agpt
