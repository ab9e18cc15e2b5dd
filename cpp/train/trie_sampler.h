// Draws parts of a trie at random, and knows for every row the chance that a draw holds it: the row's weight divided by
// that chance makes the expected gradient the exact one.
#pragma once

#include <vector>

#include "cpp/base/random.h"
#include "cpp/rows/trie_rows.h"
#include "cpp/trie/trie_index.h"

namespace agpt {

enum class Sampler {
  node,        ///< a node, each as likely as any other, with all below it
  root_child,  ///< a child of the root and a depth, each as likely as any other: the subtree down to that depth
  mass_walk,  ///< a walk from the root that goes to a child by its mass and stops at a node with a chance: all below it
  path,       ///< a start, each as likely as any other: the edges that it runs through
};

struct SamplerRule {
  Sampler sampler = Sampler::path;
  double stop = 0.3;  ///< chance that a mass walk stops at a node
  /// A mass walk never stops at a node whose edge begins with more mass than this, but holds the edges of such nodes on
  /// its way, or they would never be trained; 0: no limit.
  Index most_mass = 0;

  /// Throws ArgumentError for a value out of range.
  void validate() const;
};

/// What a draw holds: the rows from the first of the node's edge to the last below it, down to `max_depth`.
struct TrieSample {
  Index node;
  int max_depth;
};

class TrieSampler {
 public:
  /// The index must outlive the sampler.
  TrieSampler(const TrieIndex& index, const SamplerRule& rule);

  /// A subtree; not for `path`.
  TrieSample draw(Random& random) const;
  /// `n` starts for `path`, ascending: the numbers that DrawnPaths merges.
  std::vector<Index> draw_starts(Random& random, Index n) const;
  /// Starts that lead to a row.
  Index n_starts() const { return root_masses_.back(); }
  /// The nodes above a sample whose edges it holds too, from the root down.
  std::vector<Index> passed_nodes(const TrieSample& sample) const;

 private:
  friend class SampleChances;
  Index draw_child(Random& random, Index parent) const;
  bool must_pass(Index node) const;

  const TrieIndex* index_;
  SamplerRule rule_;
  std::vector<Index> root_children_;
  std::vector<Index> root_masses_;  // cumulated
};

/// The chance that a draw holds a row, by walks in pre-order.
class SampleChances final : public RowFactors {
 public:
  enum class Use { divide, multiply };
  /// The factor of a row is scale / chance or scale * chance.
  SampleChances(const TrieSampler& sampler, Use use, double scale) : sampler_(&sampler), use_(use), scale_(scale) {}

  void enter(const TrieEdge& edge) override;
  double chance(int depth) const;
  double of_row(int depth) const override {
    return use_ == Use::divide ? scale_ / chance(depth) : scale_ * chance(depth);
  }

 private:
  // A node of the path to the edge entered last.
  struct Step {
    Index node, subtree_end;
    double children_mass;  // of the first rows of its children; 0 until asked for
    double reach;          // chance that a mass walk comes to the node
    double go_on;          // ... and does not stop there
    double held;           // chance that a draw holds the node and all below it
    double own;            // chance that a draw holds the edge
  };
  void push(Index node);
  double mass_below(Step& step) const;

  const TrieSampler* sampler_;
  Use use_;
  double scale_;
  std::vector<Step> path_;
};

}  // namespace agpt
