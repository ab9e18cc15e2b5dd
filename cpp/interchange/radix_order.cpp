#include "cpp/interchange/radix_order.h"

#include <algorithm>

namespace agpt {
namespace {

// Whether an edge runs into the end of the text: it ends above the cap although one token follows it. Only an index
// with the rule `exact` has such edges.
bool is_tail(const TrieIndex& index, Index node, int depth, size_t n_targets) {
  return depth < index.depth() && n_targets == 1 && index.is_leaf(node);
}

// The mass of the first row of an edge, the occurrence at the end of the text included.
uint32_t mass_of_all(const TrieIndex& index, Index node) {
  const auto [first, last] = std::equal_range(index.columns().ended_node.begin(), index.columns().ended_node.end(),
                                              static_cast<uint32_t>(node));
  const bool is_last_token =
      index.parent_depth(node) == 0 && index.columns().label[node] == index.token(index.n_tokens() - 1);
  return index.mass(node) + static_cast<uint32_t>(last - first) + is_last_token;
}

}  // namespace

template <class Visit>
void BreadthFirstOrder::for_each(const NodeRange& range, Visit visit) const {
  std::vector<int> above;  // depths of the nodes on the way, within the range
  Index pruned_end = 0;    // of the last subtree that was pruned
  TrieWalk walk(index_, range.begin);
  TrieEdge edge;
  for (Index node = range.begin; node < range.end && walk.next(edge); ++node) {
    while (!above.empty() && above.back() > edge.parent_depth) above.pop_back();
    const size_t generation = static_cast<size_t>(range.generation) + above.size();
    above.push_back(edge.depth);
    if (edge.node < pruned_end) continue;
    if (pruning_.drops(walk.row_mass(edge.parent_depth + 1), edge.parent_depth + 1)) {
      pruned_end = index_.subtree_end(edge.node);
      continue;
    }
    const bool may_be_tail = edge.depth < index_.depth() && index_.is_leaf(edge.node);
    if (may_be_tail && is_tail(index_, edge.node, edge.depth, walk.targets().size())) continue;
    visit(edge, generation, walk);
  }
}

BreadthFirstOrder::BreadthFirstOrder(const TrieIndex& index, const EdgePruning& pruning)
    : index_(index), pruning_(pruning) {
  std::vector<uint32_t> n_of(static_cast<size_t>(index.depth()) + 2);  // records of each generation
  if (index.n_nodes() > 0)
    for_each({0, index.n_nodes(), 1}, [&](const TrieEdge&, size_t generation, TrieWalk&) { ++n_of[generation]; });
  rank_.resize(n_of.size());
  first_id_ = {0, 1};
  for (size_t g = 1; g < n_of.size(); ++g) {
    n_records_ += n_of[g];
    first_id_.push_back(first_id_[g] + n_of[g]);
  }
}

void BreadthFirstOrder::emit(const NodeRange& range, const RecordSink& sink) const {
  for (auto generation = static_cast<size_t>(range.generation); emit_generation(range, generation, sink);) ++generation;
}

// Returns whether there were any.
bool BreadthFirstOrder::emit_generation(const NodeRange& range, size_t generation, const RecordSink& sink) const {
  if (generation >= rank_.size()) return false;
  const uint32_t first_id = first_id_[generation] + rank_[generation];
  uint32_t id = first_id;
  uint32_t next_parent = first_id_[generation - 1] + rank_[generation - 1];
  for_each(range, [&](const TrieEdge& edge, size_t of_edge, TrieWalk& walk) {
    if (of_edge + 1 == generation) ++next_parent;
    if (of_edge != generation) return;
    sink({id++, generation == 1 ? 0 : next_parent - 1, edge.text, edge.parent_depth + 1, edge.depth,
          walk.row_mass(edge.parent_depth + 1), walk.targets()});
  });
  return id > first_id;
}

void BreadthFirstOrder::pass(const NodeRange& range) {
  for_each(range, [&](const TrieEdge&, size_t generation, TrieWalk&) { ++rank_[generation]; });
}

FirstSeenOrder::FirstSeenOrder(const TrieIndex& index, const EdgePruning& pruning)
    : index_(index), pruning_(pruning), first_(index, index.n_tokens(), [](Index i) { return i; }) {}

Index FirstSeenOrder::emit(Index root_child, uint32_t first_id, const RecordSink& sink) {
  uint32_t next_id = first_id;
  queue_.clear();
  if (emit_node(root_child, 0, next_id, sink)) queue_.push_back({root_child, next_id++});
  for (size_t head = 0; head < queue_.size(); ++head) {
    const Waiting parent = queue_[head];
    children_.clear();
    const Index end = index_.subtree_end(parent.node);
    for (Index child = parent.node + 1; child < end; child = index_.subtree_end(child)) children_.push_back(child);
    std::sort(children_.begin(), children_.end(),
              [&](Index a, Index b) { return first_.of_node(a) > first_.of_node(b); });
    for (const Index child : children_)
      if (emit_node(child, parent.id, next_id, sink)) queue_.push_back({child, next_id++});
  }
  return static_cast<Index>(next_id - first_id);
}

// Returns false, with nothing done, if the node has no record.
bool FirstSeenOrder::emit_node(Index node, uint32_t parent, uint32_t id, const RecordSink& sink) {
  const int first_depth = index_.parent_depth(node) + 1, depth = index_.depth(node);
  first_.entries(node, entries_);
  if (is_tail(index_, node, depth, entries_.size())) return false;
  const uint32_t mass = mass_of_all(index_, node);
  if (pruning_.drops(mass, first_depth)) return false;
  std::sort(entries_.begin(), entries_.end(), [](const SeenEntry& a, const SeenEntry& b) { return a.first > b.first; });
  ordered_.clear();
  for (const SeenEntry& entry : entries_) ordered_.push_back(entry.entry);
  sink({id, parent, index_.text(node), first_depth, depth, mass, ordered_});
  return true;
}

}  // namespace agpt
