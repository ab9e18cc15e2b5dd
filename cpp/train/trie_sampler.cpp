#include "cpp/train/trie_sampler.h"

#include <algorithm>

#include "cpp/base/error.h"
#include "cpp/trie/trie_queries.h"

namespace agpt {
namespace {

double first_row_mass(const TrieIndex& index, Index node) { return index.row_mass(node, index.parent_depth(node) + 1); }

}  // namespace

void SamplerRule::validate() const {
  AGPT_REQUIRE(stop > 0 && stop <= 1, "the chance to stop is " + std::to_string(stop) +
                                          ", but must be above 0 and at most 1 (the sampler 'path' never stops)");
  AGPT_REQUIRE(most_mass >= 0, "the mass that a walk may stop at must be at least 0 (0: any)");
}

TrieSampler::TrieSampler(const TrieIndex& index, const SamplerRule& rule) : index_(&index), rule_(rule) {
  rule.validate();
  AGPT_REQUIRE(index.n_positions() > 0, "the index has no positions to train on");
  double sum = 0;
  for (Index node = 0; node < index.n_nodes(); node = index.subtree_end(node)) {
    root_children_.push_back(node);
    root_masses_.push_back(sum += first_row_mass(index, node));
  }
}

TrieSample TrieSampler::draw(Random& random, std::vector<Index>* walked) const {
  const auto below = [&](Index n) { return static_cast<Index>(random.below(static_cast<uint64_t>(n))); };
  const int depth = index_->depth();
  if (rule_.sampler == Sampler::node) return {below(index_->n_nodes()), depth};
  if (rule_.sampler == Sampler::root_child) {
    const Index child = root_children_[static_cast<size_t>(below(static_cast<Index>(root_children_.size())))];
    return {child, 1 + static_cast<int>(below(depth))};
  }
  const auto child = std::upper_bound(root_masses_.begin(), root_masses_.end(), random.uniform() * root_masses_.back());
  Index node = root_children_[static_cast<size_t>(std::min(child, root_masses_.end() - 1) - root_masses_.begin())];
  if (walked != nullptr) walked->assign(1, node);
  while (!index_->is_leaf(node)) {
    if (rule_.sampler == Sampler::mass_walk && !must_pass(node) && random.uniform() < rule_.stop) break;
    node = draw_child(random, node);
    if (walked != nullptr) walked->push_back(node);
  }
  return {node, depth};
}

bool TrieSampler::must_pass(Index node) const {
  return rule_.most_mass > 0 && !index_->is_leaf(node) &&
         first_row_mass(*index_, node) > static_cast<double>(rule_.most_mass);
}

std::vector<Index> TrieSampler::passed_nodes(const TrieSample& sample) const {
  if (rule_.sampler != Sampler::mass_walk || rule_.most_mass == 0) return {};
  std::vector<Index> path = nodes_down_to(*index_, sample.node);
  while (!path.empty() && !must_pass(path.back())) path.pop_back();  // masses never grow on the way down
  return path;
}

Index TrieSampler::draw_child(Random& random, Index parent) const {
  const Index end = index_->subtree_end(parent);
  double sum = 0;
  for (Index child = parent + 1; child < end; child = index_->subtree_end(child)) sum += first_row_mass(*index_, child);
  double left = random.uniform() * sum;
  Index child = parent + 1;
  for (Index next = child; next < end && left >= 0; next = index_->subtree_end(next)) {
    child = next;
    left -= first_row_mass(*index_, next);
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
  switch (rule.sampler) {
    case Sampler::node:
      step.held = (above ? above->held : 0) + 1 / static_cast<double>(index.n_nodes());
      break;
    case Sampler::root_child:
      step.held = 1 / static_cast<double>(sampler_->root_children_.size());
      break;
    case Sampler::mass_walk:
    case Sampler::path: {
      const double mass = first_row_mass(index, node);
      step.reach = above ? above->go_on * mass / mass_below(*above) : mass / sampler_->root_masses_.back();
      const bool must_go_on = rule.sampler == Sampler::path || sampler_->must_pass(node);
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
      step.children_mass += first_row_mass(index, child);
  return step.children_mass;
}

double SampleChances::chance(int depth) const {
  const double own = path_.back().own;
  if (sampler_->rule_.sampler != Sampler::root_child) return own;
  const int deepest = sampler_->index_->depth();
  return own * (deepest - depth + 1) / deepest;
}

}  // namespace agpt
