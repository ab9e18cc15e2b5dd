#include "cpp/trie/trie_part.h"

namespace agpt {

template <class Id>
void TriePart<Id>::clear() {
  parent_depth.clear();
  label.clear();
  leaf_start = {};
  for (OverflowColumn* column : {&size, &mass, &entry_count, &childless_count}) column->clear();
  for (auto* column : {&heavy_leaf, &heavy_begin, &short_leaf_node, &childless_node, &ended_node}) column->clear();
  entry_token.clear();
  childless_token.clear();
  short_leaf_depth.clear();
  ended_depth.clear();
  n_entries = 0;
  totals.clear();
  open_mass = open_start = 0;
  open_childless.clear();
}

template <class Id>
void TriePartBuilder<Id>::begin(uint32_t* suffixes, uint32_t n, TriePart<Id>& part) {
  part.clear();
  part.n_suffixes = n;
  part_ = &part;
  suffixes_ = suffixes;
  n_suffixes_ = n;
  leaf_at_ = n;
  open_.assign(1, OpenNode{0, 0, 0, 0});
  childless_.clear();
  ended_.clear();
}

template <class Id>
void TriePartBuilder<Id>::end() {
  part_->leaf_start = {suffixes_ + leaf_at_, n_leaves()};
  part_ = nullptr;
}

template <class Id>
void TriePartBuilder<Id>::build(uint32_t* suffixes, const uint8_t* common, uint32_t n, TriePart<Id>& part) {
  begin(suffixes, n, part);
  const bool shares_a_token = common[0] == 1;
  if (shares_a_token) open_.push_back({1, 0, 0, 0});
  for (uint32_t item = n; item > 0;) {
    item = read_leaf(common, item - 1);
    if (left_ > open_.back().depth) open_.push_back({left_, part.n_nodes(), 0, 0});
    if (add_leaf()) make_leaf(leaf_.start);
    while (open_.back().depth > left_) {
      const OpenNode node = open_.back();
      open_.pop_back();
      if (open_.back().depth < left_) open_.push_back({left_, node.first, 0, 0});
      if (close(node, leaf_.start)) make_leaf(leaf_.start);
    }
  }
  if (shares_a_token) {
    part.open_mass = open_.back().mass;
    part.open_start = leaf_.start;
    part.open_childless.assign(childless_.end() - open_.back().n_childless, childless_.end());
  }
  end();
}

template <class Id>
void TriePartBuilder<Id>::build_token(uint32_t& leaf_start, uint32_t mass,
                                      const std::vector<ChildlessTarget<Id>>& childless, uint32_t n_nodes,
                                      TriePart<Id>& part) {
  begin(&leaf_start, 1, part);
  childless_ = childless;
  // Its descendants have the numbers before 0, modulo 2^32.
  if (close({1, -n_nodes, mass, static_cast<uint32_t>(childless.size())}, leaf_start)) make_leaf(leaf_start);
  end();
}

// Reads the run of suffixes that agree in `depth` tokens and ends at `item`, split into targets where they differ in
// the next, and with the ended suffixes to its left. Returns the item of its first suffix.
template <class Id>
uint32_t TriePartBuilder<Id>::read_leaf(const uint8_t* common, uint32_t item) {
  constexpr uint32_t kAhead = 24;  // the text of a suffix is anywhere: ask for it early
  if (item > kAhead) {
    const uint32_t ahead = item - kAhead;
    const size_t last = tokens_.size() - 1, at = size_t{suffixes_[ahead]} + std::max(common[ahead], common[ahead + 1]);
    __builtin_prefetch(tokens_.data() + std::min(last, at));
  }
  ended_.clear();
  targets_.clear();
  uint32_t mass = 0, run = 0, start, left;
  for (;; --item) {
    start = suffixes_[item];
    left = common[item];
    ++run;
    while (left <= depth_ && item > 0 && size_t{suffixes_[item - 1]} + left == tokens_.size()) {
      ended_.push_back(left);
      left = common[--item];
    }
    if (left > depth_) continue;
    mass += run;
    if (left < depth_ && mass == 1) break;  // the usual leaf: its target is the token behind it
    const Index n_rows = std::min<Index>(depth_, limits_.n_rows(start));
    targets_.push_back({tokens_[start + static_cast<size_t>(n_rows)], run});
    run = 0;
    if (left < depth_) break;
  }
  const Index n_rows = limits_.n_rows(start);
  leaf_ = {start, static_cast<uint32_t>(std::min<Index>(depth_, n_rows)), mass, n_rows < depth_};
  left_ = left;
  return item;
}

// Emits or drops the leaf; returns whether there is one.
template <class Id>
bool TriePartBuilder<Id>::add_leaf() {
  if (!is_kept(leaf_)) {
    drop(leaf_);
    return false;
  }
  if (leaf_.is_tail) {
    part_->short_leaf_node.push_back(part_->n_nodes());
    part_->short_leaf_depth.push_back(static_cast<uint8_t>(leaf_.depth));
  }
  if (leaf_.mass > 1) {
    part_->heavy_leaf.push_back(n_leaves());
    for (const Target& target : targets_) {
      part_->entry_token.push_back(target.token);
      part_->entry_count.push(target.count);
    }
    part_->heavy_begin.push_back(static_cast<uint32_t>(part_->entry_token.size()));
  }
  part_->n_entries += std::max<size_t>(1, targets_.size());
  emit(leaf_);
  return true;
}

// Emits or drops a branching node that is complete; returns whether it became a leaf, because all its children were
// dropped.
template <class Id>
bool TriePartBuilder<Id>::close(const OpenNode& node, uint32_t start) {
  const Edge edge{start, node.depth, node.mass, false};
  const size_t first_childless = childless_.size() - node.n_childless;
  if (!is_kept(edge)) {  // then all below it was dropped too
    childless_.resize(first_childless);
    drop(edge);
    return false;
  }
  const uint32_t number = part_->n_nodes();
  const bool is_leaf = number == node.first;
  if (is_leaf) {
    part_->short_leaf_node.push_back(number);
    part_->short_leaf_depth.push_back(static_cast<uint8_t>(node.depth));
  } else {
    part_->size.push(number - node.first + 1);
    part_->mass.push(node.mass);
  }
  for (size_t i = first_childless; i < childless_.size(); ++i) {
    part_->childless_node.push_back(number);
    part_->childless_token.push_back(childless_[i].token);
    part_->childless_count.push(childless_[i].count);
  }
  part_->n_entries += node.n_childless;
  childless_.resize(first_childless);
  emit(edge);
  return is_leaf;
}

template <class Id>
bool TriePartBuilder<Id>::is_kept(const Edge& edge) const {
  const uint32_t parent_depth = open_.back().depth;
  if (edge.depth <= parent_depth) return false;  // no row
  if (edge.is_tail && options_.corpus_end == CorpusEnd::reference) return false;
  const uint32_t first_row_mass = edge.mass + n_ended_below(parent_depth + 1, edge);
  return first_row_mass >= options_.prune_min_mass || static_cast<int>(parent_depth) + 1 < options_.prune_min_depth;
}

// Ended suffixes that stop below `depth` on the edge.
template <class Id>
uint32_t TriePartBuilder<Id>::n_ended_below(uint32_t depth, const Edge& edge) const {
  uint32_t n = 0;
  for (const uint32_t at : ended_) n += depth < at && at <= edge.depth;
  return n;
}

template <class Id>
void TriePartBuilder<Id>::emit(const Edge& edge) {
  OpenNode& parent = open_.back();
  const uint32_t number = part_->n_nodes();
  part_->totals.add_edge(parent.depth, edge.depth, edge.mass);
  for (const uint32_t at : ended_) {
    if (at <= parent.depth || at > edge.depth) continue;
    part_->ended_node.push_back(number);
    part_->ended_depth.push_back(static_cast<uint8_t>(at));
    ++parent.mass;  // the parent's target, the edge's first token, was seen once more
  }
  part_->totals.add_ended(parent.depth, edge.depth, edge.mass, ended_);
  parent.mass += edge.mass;
  if (parent.depth > 0) ++part_->n_entries;
  part_->parent_depth.push_back(static_cast<uint8_t>(parent.depth));
  part_->label.push_back(tokens_[edge.start + size_t{parent.depth}]);
}

template <class Id>
void TriePartBuilder<Id>::drop(const Edge& edge) {
  OpenNode& parent = open_.back();
  const uint32_t count = edge.mass + n_ended_below(parent.depth, edge);
  parent.mass += count;
  ++parent.n_childless;
  childless_.push_back({tokens_[edge.start + size_t{parent.depth}], count});
}

template <class Id>
void TriePartBuilder<Id>::make_leaf(uint32_t start) {
  suffixes_[--leaf_at_] = start;
}

template struct TriePart<uint8_t>;
template struct TriePart<uint16_t>;
template struct TriePart<uint32_t>;
template class TriePartBuilder<uint8_t>;
template class TriePartBuilder<uint16_t>;
template class TriePartBuilder<uint32_t>;

}  // namespace agpt
