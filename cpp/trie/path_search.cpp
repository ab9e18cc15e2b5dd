// Finding paths in an index: one binary search over the leaves, whose paths are sorted, with the text as their keys.
#include <algorithm>

#include "cpp/trie/trie_index.h"

namespace agpt {
namespace {

struct Found {
  Index leaf;                // the first whose text is not before the path
  size_t before = 0, after;  // tokens that the leaf before it, and it, share with the path
};

// The text of a leaf is all that follows its start, beyond its path: no path of a leaf begins another, so the order of
// the leaves is that of their texts, and leaf depths are not needed on the way.
template <class Id>
Found search_leaves(std::span<const Id> text, std::span<const uint32_t> leaf_start, std::span<const Token> path) {
  Found found{static_cast<Index>(leaf_start.size()), 0, 0};
  Index first = 0;
  while (first < found.leaf) {
    const Index middle = first + (found.leaf - first) / 2;
    const Id* const begin = text.data() + leaf_start[static_cast<size_t>(middle)];
    const size_t n = std::min(path.size(), text.size() - leaf_start[static_cast<size_t>(middle)]);
    size_t match = std::min({found.before, found.after, n});  // leaves between the two share as much
    while (match < n && begin[match] == path[match]) ++match;
    if (match < path.size() && (match == n || begin[match] < path[match])) {
      first = middle + 1;
      found.before = match;
    } else {
      found.leaf = middle;
      found.after = match;
    }
  }
  return found;
}

}  // namespace

Index TrieIndex::node_of_leaf(Index leaf) const {
  const auto first_above =
      std::upper_bound(columns_.blocks.begin(), columns_.blocks.end(), leaf,
                       [](Index l, const IndexBlock& b) { return l < static_cast<Index>(b.first_leaf); });
  const Index block_number = first_above - columns_.blocks.begin() - 1;
  const IndexBlock& b = columns_.blocks[static_cast<size_t>(block_number)];
  uint64_t bits = b.leaf_bits;
  for (Index skip = leaf - b.first_leaf; skip > 0; --skip) bits &= bits - 1;
  return block_number * 64 + std::countr_zero(bits);
}

TrieIndex::LeafMatch TrieIndex::first_leaf_from(std::span<const Token> path) const {
  const Found found = columns_.tokens.visit([&](auto text) { return search_leaves(text, columns_.leaf_start, path); });
  // A leaf may end before its text parts from the path. Only few do, so their depths are looked up when it matters.
  const auto within = [&](Index leaf, size_t match, size_t at_least) {
    if (match <= at_least) return at_least;
    return std::max(at_least, std::min(match, static_cast<size_t>(leaf_depth(node_of_leaf(leaf)))));
  };
  const size_t before = within(found.leaf - 1, found.before, 0);
  return {found.leaf, static_cast<int>(within(found.leaf, found.after, before))};
}

// The node whose edge holds the row at `depth` of the path of a leaf, which is the first below that row: the nodes
// between the leaf before it and itself are those on the way to it. -1 if that cannot be, because the leaves of a damaged
// index are not sorted.
Index TrieIndex::node_at(Index first_leaf, int depth) const {
  if (first_leaf == static_cast<Index>(header_.n_leaves)) return -1;
  Index node = first_leaf == 0 ? 0 : node_of_leaf(first_leaf - 1) + 1;
  while (!is_leaf(node) && this->depth(node) < depth) ++node;
  return parent_depth(node) < depth && depth <= this->depth(node) ? node : -1;
}

TrieIndex::Place TrieIndex::locate(std::span<const Token> path) const {
  LeafMatch found = first_leaf_from(path);
  if (found.match == 0) return {-1, 0};
  const auto depth = static_cast<size_t>(found.match);
  if (depth < path.size()) found.leaf = first_leaf_from(path.first(depth)).leaf;
  const Index node = node_at(found.leaf, found.match);
  return node < 0 ? Place{-1, 0} : Place{node, found.match};
}

int TrieIndex::longest_match(std::span<const Token> path) const { return first_leaf_from(path).match; }

Index TrieIndex::count(std::span<const Token> path) const {
  if (path.empty()) return n_starts();
  const LeafMatch found = first_leaf_from(path);
  if (static_cast<size_t>(found.match) < path.size()) return 0;
  const Index node = node_at(found.leaf, found.match);
  return node < 0 ? 0 : row_mass(node, found.match);
}

void TrieIndex::targets_at(Place place, std::vector<TokenCount>& targets) const {
  if (place.depth > 0 && place.depth == depth(place.node)) return this->targets(place.node, targets);
  targets.clear();
  if (place.depth > 0) {
    targets.push_back({token(text(place.node) + place.depth), row_mass(place.node, place.depth)});
    return;
  }
  for (Index node = 0; node < n_nodes(); node = subtree_end(node))
    targets.push_back({columns_.label[node], row_mass(node, 1)});
}

std::vector<TokenCount> TrieIndex::next_counts(std::span<const Token> path) const {
  std::vector<TokenCount> counts;
  const Place place = locate(path);
  if (static_cast<size_t>(place.depth) == path.size()) targets_at(place, counts);
  return counts;
}

}  // namespace agpt
