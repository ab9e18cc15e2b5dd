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

  std::vector<int32_t> item, piece_begin, group_begin, group_target;

 private:
  std::vector<int32_t> next_;  // where the next item of a target goes
};

}  // namespace agpt::cuda
