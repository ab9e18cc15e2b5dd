#include "cpp/rows/trie_rows.h"

#include <algorithm>
#include <functional>
#include <limits>

#include "cpp/rows/target_blend.h"
#include "cpp/trie/trie_walk.h"

namespace agpt {
namespace {

// w / N of an endpoint: what one count of its targets weighs.
double weight_per_count(const Weighting& weighting, double mass, std::span<const TokenCount> targets,
                        double log_vocabulary) {
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

// Appends rows of a walk to a batch and knows the rows of the current path.
class RowAppender {
 public:
  RowAppender(const TrieIndex& index, const Weighting& weighting, RowBatch& batch)
      : index_(index),
        weighting_(weighting),
        batch_(&batch),
        log_vocabulary_(std::log(static_cast<double>(index.vocabulary_size()))),
        row_at_depth_(batch.workspace.row_at_depth) {
    row_at_depth_.assign(static_cast<size_t>(index.depth()) + 1, -1);  // entry 0: what roots hang from, nothing
  }

  void append_ghost(const TrieEdge& edge, int depth) {
    begin_row(edge, depth);
    batch_->end_row();
  }

  /// The row's weight is multiplied by `factor`.
  void append(TrieWalk& walk, const TrieEdge& edge, int depth, double factor) {
    begin_row(edge, depth);
    if (depth < edge.depth) {
      const double weight = weighting_.intermediate * weighting_.of_mass(walk.row_mass(depth));
      batch_->add_target(index_.token(edge.text + depth), factor * weight);
    } else {
      const std::span<const TokenCount> targets = walk.targets(batch_->workspace.targets);
      const double unit = factor * weight_per_count(weighting_, edge.mass, targets, log_vocabulary_);
      if (weighting_.blend) {
        weighting_.blend->add_targets(path_of_edge(edge), targets, unit * edge.mass, *batch_);
      } else {
        for (const TokenCount& target : targets) batch_->add_target(target.token, unit * target.count);
      }
    }
    batch_->end_row();
  }

 private:
  void begin_row(const TrieEdge& edge, int depth) {
    const auto d = static_cast<size_t>(depth);
    row_at_depth_[d] = batch_->begin_row(index_.token(edge.text + depth - 1), depth - 1, row_at_depth_[d - 1]);
  }

  std::span<const Token> path_of_edge(const TrieEdge& edge) {
    std::vector<Token>& path = batch_->workspace.path;
    path.clear();
    for (int k = 0; k < edge.depth; ++k) path.push_back(index_.token(edge.text + k));
    return path;
  }

  const TrieIndex& index_;
  const Weighting& weighting_;
  RowBatch* batch_;
  const double log_vocabulary_;
  std::vector<int32_t>& row_at_depth_;
};

double row_factor(const RowSelection& selection, const SelectedEdge& edge, int depth, const RowFactors* factors) {
  return (depth >= edge.tail_depth ? selection.tail_factor() : 1) * (factors ? factors->of_row(depth) : 1);
}

}  // namespace

void append_trie_rows(const RowSelection& selection, Index begin, Index end, const Weighting& weighting,
                      RowBatch& batch, Index most_mass, RowFactors* factors) {
  if (begin >= end) return;
  SelectionWalk walk(selection, selection.node_of_row(begin));
  RowAppender appender(selection.index(), weighting, batch);
  SelectedEdge edge;
  bool first = true;
  for (Index row = begin; row < end && walk.next(edge);) {
    int depth = edge.parent_depth + 1 + static_cast<int>(first ? begin - edge.first_selected : 0);
    if (first)
      for (int ghost = 1; ghost < depth; ++ghost) appender.append_ghost(edge, ghost);
    first = false;
    if (factors) factors->enter(edge);
    for (; depth <= edge.last_depth && row < end; ++depth, ++row) {
      if (static_cast<Index>(walk.trie().row_mass(depth)) > most_mass) {
        appender.append_ghost(edge, depth);
      } else {
        appender.append(walk.trie(), edge, depth, row_factor(selection, edge, depth, factors));
      }
    }
  }
}

void append_path_rows(const TrieIndex& index, std::span<const Index> nodes, const Weighting& weighting, RowBatch& batch,
                      RowFactors* factors) {
  RowAppender appender(index, weighting, batch);
  TrieEdge edge;
  for (const Index node : nodes) {
    TrieWalk walk(index, node);
    walk.next(edge);
    if (factors) factors->enter(edge);
    for (int depth = edge.parent_depth + 1; depth <= edge.depth; ++depth)
      appender.append(walk, edge, depth, factors ? factors->of_row(depth) : 1);
  }
}

void append_edge_rows(const TrieIndex& index, std::span<const Index> nodes, std::span<const double> factors,
                      const Weighting& weighting, RowBatch& batch) {
  RowAppender appender(index, weighting, batch);
  TrieEdge edge;
  Index previous = -1;  // where the path of the node before begins in the text
  for (size_t i = 0; i < nodes.size(); ++i) {
    TrieWalk walk(index, nodes[i]);
    walk.next(edge);
    int depth = 1;
    while (previous >= 0 && depth <= edge.parent_depth &&
           index.token(previous + depth - 1) == index.token(edge.text + depth - 1))
      ++depth;  // an ancestor of both nodes, which has its row
    for (; depth <= edge.parent_depth; ++depth) appender.append_ghost(edge, depth);
    for (; depth <= edge.depth; ++depth) appender.append(walk, edge, depth, factors.empty() ? 1 : factors[i]);
    previous = edge.text;
  }
}

RowBatch rows_heavier_than(const TrieIndex& index, Index mass, int max_depth, const Weighting& weighting,
                           std::vector<Index>& masses) {
  RowBatch batch;
  masses.clear();
  Weighting unblended = weighting;
  unblended.blend = nullptr;
  RowAppender appender(index, unblended, batch);
  TrieEdge edge;
  for (Index node = 0; node < index.n_nodes();) {
    TrieWalk walk(index, node);
    walk.next(edge);
    int depth = edge.parent_depth + 1;
    const int last_depth = std::min(edge.depth, max_depth);
    for (; depth <= last_depth && static_cast<Index>(walk.row_mass(depth)) > mass; ++depth) {
      appender.append(walk, edge, depth, 1);
      masses.push_back(walk.row_mass(depth));
    }
    node = depth > edge.depth ? node + 1 : index.subtree_end(node);  // below a light row all rows are light
  }
  return batch;
}

Index mass_exceeded_by(const TrieIndex& index, Index n_rows) {
  if (n_rows <= 0) return kAnyMass;
  std::vector<Index> heaviest;  // a heap of the n_rows + 1 largest masses, least on top
  TrieWalk walk(index, 0);
  for (TrieEdge edge; walk.next(edge);)
    for (int depth = edge.parent_depth + 1; depth <= edge.depth; ++depth) {
      const auto mass = static_cast<Index>(walk.row_mass(depth));
      if (static_cast<Index>(heaviest.size()) > n_rows && mass <= heaviest.front())
        break;  // mass never grows along an edge
      heaviest.push_back(mass);
      std::push_heap(heaviest.begin(), heaviest.end(), std::greater<>());
      if (static_cast<Index>(heaviest.size()) <= n_rows + 1) continue;
      std::pop_heap(heaviest.begin(), heaviest.end(), std::greater<>());
      heaviest.pop_back();
    }
  return static_cast<Index>(heaviest.size()) > n_rows ? heaviest.front() : 0;
}

Index shallowest_cut(const RowSelection& selection, Index row, Index slack) {
  if (row >= selection.n_rows()) return selection.n_rows();
  const Index least = std::max<Index>(0, row - slack);
  SelectionWalk walk(selection, selection.node_of_row(least));
  SelectedEdge edge;
  Index best = row;
  int best_depth = std::numeric_limits<int>::max();
  while (walk.next(edge) && edge.first_selected <= row) {
    if (edge.n_selected() == 0) continue;
    const Index candidate = std::max(least, edge.first_selected);  // depth only grows along an edge
    const int depth = edge.parent_depth + static_cast<int>(candidate - edge.first_selected);
    if (depth > best_depth) continue;
    best = candidate;
    best_depth = depth;
  }
  return best;
}

double total_weight(const RowSelection& selection, const Weighting& weighting, RowFactors* factors) {
  const TrieIndex& index = selection.index();
  if (weighting.is_plain() && selection.is_everything() && !factors) return index.total_mass();
  const double log_vocabulary = std::log(static_cast<double>(index.vocabulary_size()));
  double sum = 0;
  SelectionWalk walk(selection, 0);
  for (SelectedEdge edge; walk.next(edge);) {
    if (factors) factors->enter(edge);
    for (int depth = edge.parent_depth + 1; depth <= edge.last_depth; ++depth) {
      const double factor = row_factor(selection, edge, depth, factors);
      if (depth < edge.depth) {
        sum += factor * weighting.intermediate * weighting.of_mass(walk.trie().row_mass(depth));
      } else {
        sum += factor * edge.mass * weight_per_count(weighting, edge.mass, walk.trie().targets(), log_vocabulary);
      }
    }
  }
  return sum;
}

}  // namespace agpt
