#include "cpp/rows/trie_rows.h"

#include <limits>

#include "cpp/trie/trie_walk.h"

namespace agpt {
namespace {

// w / N of an endpoint: what one count of its targets weighs.
double weight_per_count(const Weighting& weighting, double mass, std::span<const TokenCount> targets, double log_vocabulary) {
  double factor = 1;
  if (weighting.entropy_lambda != 0 && targets.size() > 1 && log_vocabulary > 0) {
    double entropy = 0;
    for (const TokenCount& target : targets) {
      const double p = target.count / mass;
      entropy -= p * std::log(p);
    }
    factor += weighting.entropy_lambda * entropy / log_vocabulary;
  }
  return weighting.of_mass(mass) * factor / mass;
}

}  // namespace

void append_trie_rows(const TrieIndex& index, Index begin, Index end, const Weighting& weighting, RowBatch& batch) {
  if (begin >= end) return;
  const double log_vocabulary = std::log(static_cast<double>(index.vocabulary_size()));
  TrieWalk walk(index, index.node_of_row(begin));
  TrieEdge edge;
  std::vector<int32_t> row_at_depth(static_cast<size_t>(index.depth()) + 1, -1);  // entry 0: what roots hang from, nothing
  bool first = true;
  for (Index row = begin; row < end && walk.next(edge);) {
    int depth = edge.parent_depth + 1;
    if (first) {
      const int begin_depth = depth + static_cast<int>(begin - edge.first_row);
      for (depth = 1; depth < begin_depth; ++depth) {
        const auto d = static_cast<size_t>(depth);
        row_at_depth[d] = batch.begin_row(index.token(edge.text + depth - 1), depth - 1, row_at_depth[d - 1]);
        batch.end_row();
      }
      first = false;
    }
    for (; depth <= edge.depth && row < end; ++depth, ++row) {
      const auto d = static_cast<size_t>(depth);
      row_at_depth[d] = batch.begin_row(index.token(edge.text + depth - 1), depth - 1, row_at_depth[d - 1]);
      if (depth < edge.depth) {
        batch.add_target(index.token(edge.text + depth), weighting.of_mass(walk.row_mass(depth)));
      } else {
        const std::span<const TokenCount> targets = walk.targets();
        const double unit = weight_per_count(weighting, edge.mass, targets, log_vocabulary);
        for (const TokenCount& target : targets) batch.add_target(target.token, unit * target.count);
      }
      batch.end_row();
    }
  }
}

Index shallowest_cut(const TrieIndex& index, Index row, Index slack) {
  if (row >= index.n_positions()) return index.n_positions();
  const Index least = std::max<Index>(0, row - slack);
  TrieWalk walk(index, index.node_of_row(least));
  TrieEdge edge;
  Index best = row;
  int best_depth = std::numeric_limits<int>::max();
  while (walk.next(edge) && edge.first_row <= row) {
    const Index candidate = std::max(least, edge.first_row);  // depth only grows along an edge
    const int depth = edge.parent_depth + static_cast<int>(candidate - edge.first_row);
    if (depth > best_depth) continue;
    best = candidate;
    best_depth = depth;
  }
  return best;
}

double total_weight(const TrieIndex& index, const Weighting& weighting) {
  if (weighting.mass == MassWeight::linear && weighting.entropy_lambda == 0) return index.total_mass();
  const double log_vocabulary = std::log(static_cast<double>(index.vocabulary_size()));
  double sum = 0;
  TrieWalk walk(index, 0);
  for (TrieEdge edge; walk.next(edge);) {
    for (int depth = edge.parent_depth + 1; depth < edge.depth; ++depth) sum += weighting.of_mass(walk.row_mass(depth));
    sum += edge.mass * weight_per_count(weighting, edge.mass, walk.targets(), log_vocabulary);
  }
  return sum;
}

}  // namespace agpt
