#include "cpp/train/drawn_paths.h"

#include <algorithm>

namespace agpt {
namespace {

class NodeFactors final : public RowFactors {
 public:
  NodeFactors(std::span<const Index> nodes, std::span<const double> factors) : nodes_(nodes), factors_(factors) {}

  void enter(const TrieEdge& edge) override {
    while (nodes_[at_] != edge.node) ++at_;
  }
  double of_row(int) const override { return factors_[at_]; }

 private:
  std::span<const Index> nodes_;
  std::span<const double> factors_;
  size_t at_ = 0;
};

}  // namespace

/// Follows all starts down the trie at once, so that the masses of siblings are looked up once for all of them.
class DrawnPaths::Planner {
 public:
  Planner(DrawnPaths& plan, Index batch_rows, std::optional<double> scale)
      : plan_(plan), index_(*plan.index_), batch_rows_(batch_rows), scale_(scale) {}

  /// Follows `starts` through `node` and its siblings before `end`; the first start of `node` is number `first`. Those
  /// that run through none of them end here.
  void follow(Index node, Index end, std::span<const Index> starts, Index first) {
    for (; node < end && !starts.empty(); node = index_.subtree_end(node)) {
      const Index mass = index_.row_mass(node, index_.parent_depth(node) + 1);
      first += mass;
      const auto behind = std::lower_bound(starts.begin(), starts.end(), first);
      if (behind == starts.begin()) continue;
      path_.push_back({node, scale_ ? *scale_ / static_cast<double>(mass) : 1});
      follow(node + 1, index_.subtree_end(node), {starts.begin(), behind}, first - mass);
      path_.pop_back();
      starts = {behind, starts.end()};
    }
    if (!starts.empty()) add_path(static_cast<double>(starts.size()));
  }

  void end_batch() { plan_.batch_begin_.push_back(plan_.nodes_.size()); }

 private:
  // A node of the path to where follow() is.
  struct Step {
    Index node;
    double factor;                  // of a row, for one path
    std::optional<size_t> at = {};  // where the plan has the node
  };

  // Adds the path to where follow() is, `n` times.
  void add_path(double n) {
    auto fresh = std::find_if(path_.begin(), path_.end(), [&](const Step& step) { return !is_in_batch(step); });
    const Index depth = index_.depth(path_.back().node);
    n_rows_ += depth - (fresh == path_.end() ? depth : index_.parent_depth(fresh->node));
    if (n_rows_ > batch_rows_ && !is_batch_empty()) {
      end_batch();
      n_rows_ = depth;
      fresh = path_.begin();
    }
    for (auto step = path_.begin(); step != fresh; ++step) plan_.factors_[*step->at] += n * step->factor;
    for (; fresh != path_.end(); ++fresh) {
      fresh->at = plan_.nodes_.size();
      plan_.nodes_.push_back(fresh->node);
      plan_.factors_.push_back(n * fresh->factor);
    }
  }

  bool is_in_batch(const Step& step) const { return step.at && *step.at >= plan_.batch_begin_.back(); }
  bool is_batch_empty() const { return plan_.batch_begin_.back() == plan_.nodes_.size(); }

  DrawnPaths& plan_;
  const TrieIndex& index_;
  const Index batch_rows_;
  const std::optional<double> scale_;
  std::vector<Step> path_;
  Index n_rows_ = 0;  // of the last batch
};

DrawnPaths::DrawnPaths(const TrieIndex& index, std::span<const Index> starts, Index batch_rows,
                       std::optional<double> scale)
    : index_(&index), batch_begin_{0} {
  Planner planner(*this, batch_rows, scale);
  planner.follow(0, index.n_nodes(), starts, 0);
  planner.end_batch();
}

Index DrawnPaths::n_rows() const {
  Index rows = 0;
  for (const Index node : nodes_) rows += index_->depth(node) - index_->parent_depth(node);
  return rows;
}

void DrawnPaths::append(Index number, const Weighting& weighting, RowBatch& batch) const {
  const size_t begin = batch_begin_[static_cast<size_t>(number)];
  const size_t size = batch_begin_[static_cast<size_t>(number) + 1] - begin;
  const std::span<const Index> nodes(nodes_.data() + begin, size);
  NodeFactors factors(nodes, std::span<const double>(factors_.data() + begin, size));
  append_path_rows(*index_, nodes, weighting, batch, &factors);
}

}  // namespace agpt
