// The top of a trie, spread over the steps of a pass. A row near the root can outweigh a whole step; given to one step
// it would make that step's gradient its own. So heavy rows are visited many times in a pass, each time with an equal
// part of their weight: the sum of the pass stays what it is, and its noise goes away.
//
// Visits follow the text. The rows' masses are nested intervals on a line (children inside their parent, side by side),
// and points at equal distances on that line each visit all heavy rows whose interval they are in: a path from the
// root. A step gets every n-th point, so its points lie evenly over the whole line, and no visited row lacks an
// ancestor.
#pragma once

#include <vector>

#include "cpp/rows/row_batch.h"
#include "cpp/rows/weighting.h"
#include "cpp/trie/trie_index.h"

namespace agpt {

class HeavyRows {
 public:
  /// For passes of `n_steps` steps whose rows have the mass `mean_mass`, in batches of about `batch_rows` rows. Rows
  /// deeper than `max_depth` are left out.
  HeavyRows(const TrieIndex& index, int max_depth, double mean_mass, const Weighting& weighting, Index n_steps,
            Index batch_rows, uint64_t seed);

  /// Rows of a mass above this are heavy.
  Index mass() const { return mass_; }

  /// Batches that the heavy rows add to a step.
  Index n_batches(Index pass, Index step) const;

  /// Appends batch `number` of a step: the rows that its points visit, each with one part of its weight for each visit.
  void append(Index pass, Index step, Index number, RowBatch& batch) const;

 private:
  Index n_points() const { return (line_ + distance_ - 1) / distance_; }
  /// Points of a step: first, first + n_steps, first + 2 n_steps, ...
  Index first_point(Index pass, Index step) const;
  Index n_points_of_step(Index pass, Index step) const;
  Index deepest_row_at(Index place) const;
  /// Points of a pass in the row's interval, at least 1.
  Index visits(Index row, Index phase) const;
  Index phase(Index pass) const;

  std::shared_ptr<const TargetBlend> blend_;
  Index n_steps_, points_per_batch_;
  uint64_t seed_;
  Index mass_, distance_;           // distance between points: the least mass of a heavy row, so that each is visited
  Index line_ = 0;                  // length of the line
  RowBatch rows_;                   // the heavy rows: a forest in pre-order
  std::vector<Index> begin_, end_;  // (rows) their intervals; begin_ ascends
};

}  // namespace agpt
