#include "cpp/trie/trie_profile.h"

#include <algorithm>

#include "cpp/trie/trie_walk.h"

namespace agpt {
namespace {

// Elements 1 .. depth of a column by depth.
std::vector<Index> without_root(std::span<const uint64_t> totals) { return {totals.begin() + 1, totals.end()}; }

// Whether the first row of the edge is also how the text ends.
bool ends_text(const TrieIndex& index, const TrieEdge& edge) {
  const Index length = edge.parent_depth + 1, end = index.n_tokens();
  for (Index back = 1; back <= length; ++back)
    if (index.token(edge.text + length - back) != index.token(end - back)) return false;
  return true;
}

// Whether the first row of the edge occurs once in the text.
bool is_unique(const TrieIndex& index, const TrieEdge& edge, uint32_t first_row_mass) {
  if (first_row_mass > 1) return false;
  const bool sees_end = !index.has_documents() && index.options().starts.rule == Starts::Rule::every;
  return !sees_end || !ends_text(index, edge);
}

void add_endpoint(const TrieIndex& index, const TrieEdge& edge, size_t n_targets, TrieProfile& profile) {
  const auto d = static_cast<size_t>(edge.depth) - 1;
  const Index edge_tokens = edge.depth - edge.parent_depth;
  profile.edge_tokens[d] += edge_tokens;
  profile.entries[d] += static_cast<Index>(n_targets);
  profile.single_target_nodes[d] += n_targets == 1;
  profile.node_mass[d] += edge.mass;
  if (!index.is_leaf(edge.node)) return;
  ++profile.n_leaves;
  if (edge.mass > 1) return;
  ++profile.n_single_leaves;
  profile.single_leaf_tokens += edge_tokens;
}

void add_root_child(const TrieIndex& index, const TrieEdge& edge, uint32_t mass, TrieProfile& profile) {
  const Index end = index.subtree_end(edge.node);
  profile.root_token.push_back(index.token(edge.text));
  profile.root_nodes.push_back(end - edge.node);
  profile.root_positions.push_back(index.first_row(end) - index.first_row(edge.node));
  profile.root_mass.push_back(mass);
}

}  // namespace

TrieProfile profile_trie_index(const TrieIndex& index) {
  const IndexColumns& columns = index.columns();
  const auto depth = static_cast<size_t>(index.depth());
  TrieProfile profile;
  profile.positions = without_root(columns.position_counts);
  profile.mass = without_root(columns.mass_counts);
  profile.shared_positions = without_root(columns.shared_counts);
  profile.nodes = without_root(columns.node_counts);
  for (auto* by_depth : {&profile.edge_tokens, &profile.entries, &profile.single_target_nodes, &profile.node_mass,
                         &profile.median_node_mass, &profile.largest_node_mass, &profile.unique_leaves})
    by_depth->assign(depth, 0);
  std::vector<std::vector<uint32_t>> masses(depth);  // of the endpoints, for the medians
  TrieWalk walk(index, 0);
  for (TrieEdge edge; walk.next(edge);) {
    add_endpoint(index, edge, walk.targets().size(), profile);
    masses[static_cast<size_t>(edge.depth) - 1].push_back(edge.mass);
    if (index.is_leaf(edge.node) && is_unique(index, edge, walk.row_mass(edge.parent_depth + 1)))
      ++profile.unique_leaves[static_cast<size_t>(edge.parent_depth)];
    if (edge.parent_depth == 0) add_root_child(index, edge, walk.row_mass(1), profile);
  }
  for (size_t d = 0; d < depth; ++d) {
    std::vector<uint32_t>& at_depth = masses[d];
    if (at_depth.empty()) continue;
    const auto middle = at_depth.begin() + static_cast<std::ptrdiff_t>(at_depth.size() / 2);
    std::nth_element(at_depth.begin(), middle, at_depth.end());
    profile.median_node_mass[d] = *middle;
    profile.largest_node_mass[d] = *std::max_element(middle, at_depth.end());
  }
  if (index.n_positions() > 0) profile.sharing_ratio = index.total_mass() / static_cast<double>(index.n_positions());
  return profile;
}

}  // namespace agpt
