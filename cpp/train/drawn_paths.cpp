#include "cpp/train/drawn_paths.h"

#include <algorithm>
#include <span>

namespace agpt {
namespace {

// Multiplies the factors of rows by the number of paths through them.
class PathCounts final : public RowFactors {
 public:
  PathCounts(std::span<const Index> nodes, std::span<const double> n_paths, RowFactors* factors)
      : nodes_(nodes), n_paths_(n_paths), factors_(factors) {}

  void enter(const TrieEdge& edge) override {
    while (nodes_[at_] != edge.node) ++at_;
    if (factors_ != nullptr) factors_->enter(edge);
  }
  double of_row(int depth) const override {
    return n_paths_[at_] * (factors_ != nullptr ? factors_->of_row(depth) : 1);
  }

 private:
  std::span<const Index> nodes_;
  std::span<const double> n_paths_;
  RowFactors* factors_;
  size_t at_ = 0;
};

}  // namespace

std::vector<std::span<const Index>> PathList::sorted() const {
  std::vector<std::span<const Index>> paths;
  paths.reserve(end_.size());
  for (size_t begin = 0; const size_t end : end_) {
    paths.push_back(std::span(nodes_).subspan(begin, end - begin));
    begin = end;
  }
  std::sort(paths.begin(), paths.end(), [](auto a, auto b) { return std::ranges::lexicographical_compare(a, b); });
  return paths;
}

DrawnPaths::DrawnPaths(const TrieIndex& index, const PathList& paths, Index batch_rows) : index_(&index) {
  nodes_.reserve(paths.n_nodes());
  n_paths_.reserve(paths.n_nodes());
  std::vector<size_t> open;  // where the nodes of the last path are
  Index n_rows = 0;
  for (const std::span<const Index> path : paths.sorted()) {
    size_t shared = 0;
    while (shared < open.size() && shared < path.size() && nodes_[open[shared]] == path[shared]) ++shared;
    const Index depth = index.depth(path.back());
    const Index shared_rows = shared == 0 ? 0 : index.depth(path[shared - 1]);
    n_rows += depth - shared_rows;
    if (n_rows > batch_rows && !open.empty()) {
      batch_begin_.push_back(nodes_.size());
      n_rows = depth;
      shared = 0;
    }
    open.resize(shared);
    for (const size_t at : open) ++n_paths_[at];
    for (; shared < path.size(); ++shared) {
      open.push_back(nodes_.size());
      nodes_.push_back(path[shared]);
      n_paths_.push_back(1);
    }
  }
  batch_begin_.push_back(nodes_.size());
}

void DrawnPaths::append(Index number, const Weighting& weighting, RowFactors* factors, RowBatch& batch) const {
  const size_t begin = batch_begin_[static_cast<size_t>(number)];
  const size_t size = batch_begin_[static_cast<size_t>(number) + 1] - begin;
  const std::span<const Index> nodes(nodes_.data() + begin, size);
  PathCounts counts(nodes, std::span<const double>(n_paths_.data() + begin, size), factors);
  append_path_rows(*index_, nodes, weighting, batch, &counts);
}

}  // namespace agpt
