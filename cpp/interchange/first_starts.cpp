#include "cpp/interchange/first_starts.h"

#include <algorithm>

#include "cpp/trie/trie_walk.h"

namespace agpt {
namespace {

// The elements of a sorted column that equal `value`.
std::pair<size_t, size_t> elements_of(std::span<const uint32_t> sorted, Index value) {
  const auto [first, last] = std::equal_range(sorted.begin(), sorted.end(), static_cast<uint32_t>(value));
  return {static_cast<size_t>(first - sorted.begin()), static_cast<size_t>(last - sorted.begin())};
}

}  // namespace

ChildFinder::ChildFinder(const TrieIndex& index) : index_(index), subtree_end_(static_cast<size_t>(index.n_nodes())) {
  std::vector<TrieEdge> open;
  TrieWalk walk(index, 0);
  const auto close = [&](Index end, int depth) {
    for (; !open.empty() && open.back().depth > depth; open.pop_back())
      subtree_end_[static_cast<size_t>(open.back().node)] = static_cast<uint32_t>(end);
  };
  for (TrieEdge edge; walk.next(edge);) {
    close(edge.node, edge.parent_depth);
    if (edge.parent_depth == 0) roots_.push_back(static_cast<uint32_t>(edge.node));
    open.push_back(edge);
  }
  close(index.n_nodes(), 0);
}

Index ChildFinder::find(Index node, Token token) const {
  const TokenView label = index_.columns().label;
  if (node < 0) {
    const auto found =
        std::lower_bound(roots_.begin(), roots_.end(), token, [&](uint32_t a, Token t) { return label[a] < t; });
    return found != roots_.end() && label[*found] == token ? static_cast<Index>(*found) : -1;
  }
  const Index end = subtree_end(node);
  for (Index child = node + 1; child < end; child = subtree_end(child))
    if (label[child] >= token) return label[child] == token ? child : -1;
  return -1;
}

FirstStarts::FirstStarts(const TrieIndex& index, Index n_starts, const std::function<Index(Index)>& start)
    : index_(index),
      children_(index),
      node_(static_cast<size_t>(index.n_nodes()), kNever),
      heavy_(static_cast<size_t>(index.columns().entry_token.size()), kNever),
      childless_(static_cast<size_t>(index.columns().childless_token.size()), kNever) {
  for (Index i = 0; i < n_starts; ++i) follow(static_cast<uint32_t>(i), start(i));
}

void FirstStarts::follow(uint32_t number, Index begin) {
  Index node = -1;
  for (Index at = begin; at < index_.n_tokens();) {
    const Index child = children_.find(node, index_.token(at));
    if (child < 0) {
      if (node >= 0) meet_target(node, index_.token(at), number);
      return;
    }
    uint32_t& first = node_[static_cast<size_t>(child)];
    first = std::min(first, number);
    node = child;
    at = begin + index_.depth(child);
    if (!index_.is_leaf(child)) continue;
    if (at < index_.n_tokens()) meet_target(child, index_.token(at), number);
    return;
  }
}

void FirstStarts::meet_target(Index node, Token token, uint32_t number) {
  const IndexColumns& columns = index_.columns();
  const auto note = [&](size_t begin, size_t end, const TokenView& tokens, std::vector<uint32_t>& first) {
    for (size_t i = begin; i < end; ++i)
      if (tokens[static_cast<Index>(i)] == token) first[i] = std::min(first[i], number);
  };
  const auto [childless_begin, childless_end] = elements_of(columns.childless_node, node);
  note(childless_begin, childless_end, columns.childless_token, childless_);
  if (!index_.is_leaf(node) || index_.heavy_leaf_number(node) < 0) return;
  const auto heavy = static_cast<size_t>(index_.heavy_leaf_number(node));
  note(columns.heavy_begin[heavy], columns.heavy_begin[heavy + 1], columns.entry_token, heavy_);
}

void FirstStarts::entries(Index node, std::vector<SeenEntry>& entries) const {
  const IndexColumns& columns = index_.columns();
  entries.clear();
  std::vector<TokenCount> targets;
  index_.targets(node, targets);
  auto [childless, childless_end] = elements_of(columns.childless_node, node);
  const Index heavy = index_.is_leaf(node) ? index_.heavy_leaf_number(node) : -1;
  for (size_t i = 0; i < targets.size(); ++i) {
    uint32_t first = of_node(node);  // of a leaf with one target
    if (heavy >= 0) {
      first = heavy_[columns.heavy_begin[static_cast<size_t>(heavy)] + i];
    } else if (childless < childless_end &&
               columns.childless_token[static_cast<Index>(childless)] == targets[i].token) {
      first = childless_[childless++];
    } else if (const Index child = children_.find(node, targets[i].token); child >= 0) {
      first = of_node(child);
    }
    entries.push_back({targets[i], first});
  }
}

}  // namespace agpt
