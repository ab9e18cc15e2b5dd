// Sorting the rows of a batch by where their gradients belong, on the host.
#pragma once

#include <span>
#include <vector>

#include "cpp/base/types.h"

namespace agpt::cuda {

/// Items 0, 1, ... by group, each group in ascending order and cut into pieces of at most kPieceItems; the arrays of
/// SegmentsView (kernels/segmented_sum.h).
class Segments {
 public:
  static constexpr int32_t kPieceItems = 128;

  /// Item i belongs to the group of target[i], which is below n_targets.
  void sort(std::span<const int32_t> target, Index n_targets);

  /// Adds empty groups and pieces up to so many, which kernels pass over: batches that differ in their tokens alone then have
  /// launches of the same size.
  void pad(Index n_groups, Index n_pieces);

  Index n_groups() const { return static_cast<Index>(group_target.size()); }
  Index n_pieces() const { return static_cast<Index>(piece_begin.size()) - 1; }

  std::vector<int32_t> item, piece_begin, group_begin, group_target;

 private:
  std::vector<int32_t> next_;  // where the next item of a target goes
};

}  // namespace agpt::cuda
