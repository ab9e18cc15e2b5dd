#include "cpp/train/trie_sampler.h"

#include <algorithm>

#include "cpp/base/error.h"
#include "cpp/trie/trie_queries.h"

namespace agpt {
namespace {

Index first_row_mass(const TrieIndex& index, Index node) { return index.row_mass(node, index.parent_depth(node) + 1); }

}  // namespace

void SamplerRule::validate() const {
  AGPT_REQUIRE(stop > 0 && stop <= 1, "the chance to stop is " + std::to_string(stop) +
                                          ", but must be above 0 and at most 1 (the sampler 'path' never stops)");
  AGPT_REQUIRE(most_mass >= 0, "the mass that a walk may stop at must be at least 0 (0: any)");
}

TrieSampler::TrieSampler(const TrieIndex& index, const SamplerRule& rule) : index_(&index), rule_(rule) {
  rule.validate();
  Index sum = 0;
  for (Index node = 0; node < index.n_nodes(); node = index.subtree_end(node)) {
    root_children_.push_back(node);
    root_masses_.push_back(sum += first_row_mass(index, node));
  }
  AGPT_REQUIRE(sum > 0, "the index has no positions to train on");
}

TrieSample TrieSampler::draw(Random& random) const {
  const auto below = [&](Index n) { return static_cast<Index>(random.below(static_cast<uint64_t>(n))); };
  const int depth = index_->depth();
  if (rule_.sampler == Sampler::node) return {below(index_->n_nodes()), depth};
  if (rule_.sampler == Sampler::root_child) {
    const Index child = root_children_[static_cast<size_t>(below(static_cast<Index>(root_children_.size())))];
    return {child, 1 + static_cast<int>(below(depth))};
  }
  const double mass_before = random.uniform() * static_cast<double>(n_starts());
  const auto child = std::upper_bound(root_masses_.begin(), root_masses_.end(), static_cast<Index>(mass_before));
  Index node = root_children_[static_cast<size_t>(child - root_masses_.begin())];
  while (!index_->is_leaf(node) && (must_pass(node) || random.uniform() >= rule_.stop)) node = draw_child(random, node);
  return {node, depth};
}

std::vector<Index> TrieSampler::draw_starts(Random& random, Index n) const {
  std::vector<Index> starts(static_cast<size_t>(n));
  for (Index& start : starts) start = static_cast<Index>(random.below(static_cast<uint64_t>(n_starts())));
  std::sort(starts.begin(), starts.end());
  return starts;
}

bool TrieSampler::must_pass(Index node) const {
  return rule_.most_mass > 0 && !index_->is_leaf(node) && first_row_mass(*index_, node) > rule_.most_mass;
}

std::vector<Index> TrieSampler::passed_nodes(const TrieSample& sample) const {
  if (rule_.sampler != Sampler::mass_walk || rule_.most_mass == 0) return {};
  std::vector<Index> path = nodes_down_to(*index_, sample.node);
  while (!path.empty() && !must_pass(path.back())) path.pop_back();  // masses never grow on the way down
  return path;
}

Index TrieSampler::draw_child(Random& random, Index parent) const {
  const Index end = index_->subtree_end(parent);
  Index sum = 0;
  for (Index child = parent + 1; child < end; child = index_->subtree_end(child)) sum += first_row_mass(*index_, child);
  double left = random.uniform() * static_cast<double>(sum);
  Index child = parent + 1;
  for (Index next = child; next < end && left >= 0; next = index_->subtree_end(next)) {
    child = next;
    left -= static_cast<double>(first_row_mass(*index_, next));
  }
  return child;
}

void SampleChances::enter(const TrieEdge& edge) {
  if (!path_.empty() && edge.node <= path_.back().node) path_.clear();  // another walk
  while (!path_.empty() && edge.node >= path_.back().subtree_end) path_.pop_back();
  const bool follows =
      path_.empty() ? edge.parent_depth == 0 : sampler_->index_->depth(path_.back().node) == edge.parent_depth;
  if (!follows) {  // a walk that begins in the middle
    path_.clear();
    std::vector<Index> nodes = nodes_down_to(*sampler_->index_, edge.node);
    nodes.pop_back();
    for (const Index node : nodes) push(node);
  }
  push(edge.node);
}

void SampleChances::push(Index node) {
  const TrieIndex& index = *sampler_->index_;
  const SamplerRule& rule = sampler_->rule_;
  Step* const above = path_.empty() ? nullptr : &path_.back();
  Step step{node, index.subtree_end(node), 0, 0, 0, 0, 0};
  const auto mass = [&] { return static_cast<double>(first_row_mass(index, node)); };
  const auto n_starts = static_cast<double>(sampler_->n_starts());
  switch (rule.sampler) {
    case Sampler::node:
      step.held = (above ? above->held : 0) + 1 / static_cast<double>(index.n_nodes());
      break;
    case Sampler::root_child:
      step.held = 1 / static_cast<double>(sampler_->root_children_.size());
      break;
    case Sampler::path:
      step.held = mass() / n_starts;
      break;
    case Sampler::mass_walk: {
      step.reach = above ? above->go_on * mass() / mass_below(*above) : mass() / n_starts;
      const bool must_go_on = sampler_->must_pass(node);
      const double stop = index.is_leaf(node) ? 1 : must_go_on ? 0 : rule.stop;
      step.go_on = step.reach * (1 - stop);
      step.held = (above ? above->held : 0) + step.reach * stop;
      if (must_go_on) step.own = step.reach;
      break;
    }
  }
  if (step.own == 0) step.own = step.held;
  path_.push_back(step);
}

double SampleChances::mass_below(Step& step) const {
  const TrieIndex& index = *sampler_->index_;
  if (step.children_mass == 0)
    for (Index child = step.node + 1; child < step.subtree_end; child = index.subtree_end(child))
      step.children_mass += static_cast<double>(first_row_mass(index, child));
  return step.children_mass;
}

double SampleChances::chance(int depth) const {
  const double own = path_.back().own;
  if (sampler_->rule_.sampler != Sampler::root_child) return own;
  const int deepest = sampler_->index_->depth();
  return own * (deepest - depth + 1) / deepest;
}

}  // namespace agpt
