#include "cpp/train/heavy_rows.h"

#include <algorithm>

#include "cpp/base/random.h"
#include "cpp/rows/target_blend.h"
#include "cpp/rows/trie_rows.h"

namespace agpt {
namespace {

// A row is heavy when it weighs more than this many mean rows. More would leave noise, fewer would add rows to every
// step.
constexpr double kMeanRowsPerPart = 4;
// Bounds the memory, whatever the size of the trie.
constexpr Index kMostHeavyRows = Index{1} << 18;
// Rows that a point visits, roughly: heavy rows are few tokens deep.
constexpr Index kRowsPerPoint = 4;

uint64_t seed_of(uint64_t seed, Index pass) { return mix_bits(seed ^ mix_bits(static_cast<uint64_t>(pass))); }

}  // namespace

HeavyRows::HeavyRows(const TrieIndex& index, int max_depth, double mean_mass, const Weighting& weighting, Index n_steps,
                     Index batch_rows, uint64_t seed)
    : blend_(weighting.blend),
      n_steps_(n_steps),
      points_per_batch_(std::max<Index>(1, batch_rows / kRowsPerPoint)),
      seed_(seed) {
  mass_ = std::max(mass_exceeded_by(index, kMostHeavyRows), static_cast<Index>(kMeanRowsPerPart * mean_mass));
  distance_ = mass_ + 1;
  std::vector<Index> masses;
  rows_ = rows_heavier_than(index, mass_, max_depth, weighting, masses);
  // An interval begins where its left sibling's ends, or with its parent's.
  std::vector<Index> next_child(masses.size());  // where the next child of a row begins
  for (size_t r = 0; r < masses.size(); ++r) {
    Index& from = rows_.parent[r] < 0 ? line_ : next_child[static_cast<size_t>(rows_.parent[r])];
    next_child[r] = from;
    begin_.push_back(from);
    from += masses[r];
    end_.push_back(from);
  }
}

Index HeavyRows::phase(Index pass) const {
  return static_cast<Index>(seed_of(seed_, pass) % static_cast<uint64_t>(distance_));
}

Index HeavyRows::first_point(Index pass, Index step) const {
  return static_cast<Index>(
      Permutation(static_cast<uint64_t>(n_steps_), seed_of(seed_, pass) + 1)(static_cast<uint64_t>(step)));
}

Index HeavyRows::n_points_of_step(Index pass, Index step) const {
  const Index first = first_point(pass, step);
  return first < n_points() ? (n_points() - first + n_steps_ - 1) / n_steps_ : 0;
}

Index HeavyRows::n_batches(Index pass, Index step) const {
  return (n_points_of_step(pass, step) + points_per_batch_ - 1) / points_per_batch_;
}

Index HeavyRows::visits(Index row, Index phase) const {
  // Points lie at phase + i * distance; those before `place` number:
  const auto before = [&](Index place) { return place <= phase ? 0 : (place - phase + distance_ - 1) / distance_; };
  return before(end_[static_cast<size_t>(row)]) - before(begin_[static_cast<size_t>(row)]);
}

Index HeavyRows::deepest_row_at(Index place) const {
  // Of the rows that begin at or before the place, the last in pre-order holds it, or one of its ancestors does, or
  // none.
  Index row = std::upper_bound(begin_.begin(), begin_.end(), place) - begin_.begin() - 1;
  while (row >= 0 && end_[static_cast<size_t>(row)] <= place) row = rows_.parent[static_cast<size_t>(row)];
  return row;
}

void HeavyRows::append(Index pass, Index step, Index number, RowBatch& batch) const {
  const Index first = first_point(pass, step), start = phase(pass);
  const Index end = std::min(n_points_of_step(pass, step), (number + 1) * points_per_batch_);
  // Visits of this batch by row. Points ascend, so rows of equal depth come in pre-order; sorting makes it whole.
  std::vector<Index> visited;
  for (Index i = number * points_per_batch_; i < end; ++i)
    for (Index row = deepest_row_at(start + (first + i * n_steps_) * distance_); row >= 0;
         row = rows_.parent[static_cast<size_t>(row)])
      visited.push_back(row);
  std::sort(visited.begin(), visited.end());

  std::vector<int32_t> row_at_position;
  std::vector<Token> path;
  for (size_t i = 0, next; i < visited.size(); i = next) {
    next = static_cast<size_t>(std::upper_bound(visited.begin() + static_cast<Index>(i), visited.end(), visited[i]) -
                               visited.begin());
    const auto r = static_cast<size_t>(visited[i]), position = static_cast<size_t>(rows_.position[r]);
    row_at_position.resize(position + 1);
    path.resize(position);
    path.push_back(static_cast<Token>(rows_.token[r]));
    const int32_t parent = position == 0 ? -1 : row_at_position[position - 1];
    row_at_position[position] = batch.begin_row(path.back(), rows_.position[r], parent);
    const double part = static_cast<double>(next - i) / static_cast<double>(visits(visited[i], start));
    if (blend_) {
      blend_->add_targets(path, part * rows_.weight[r], batch);
    } else {
      for (auto e = static_cast<size_t>(rows_.target_begin[r]); e < static_cast<size_t>(rows_.target_begin[r + 1]); ++e)
        batch.add_target(static_cast<Token>(rows_.target_token[e]), part * rows_.target_weight[e]);
    }
    batch.end_row();
  }
}

}  // namespace agpt
