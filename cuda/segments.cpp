#include "cuda/segments.h"

#include <algorithm>

namespace agpt::cuda {

void Segments::sort(std::span<const int32_t> target, Index n_targets) {
  piece_begin.assign(1, 0);
  group_begin.assign(1, 0);
  group_target.clear();
  item.resize(target.size());
  next_.assign(static_cast<size_t>(n_targets), 0);
  for (const int32_t t : target) ++next_[static_cast<size_t>(t)];
  int32_t begin = 0;
  for (int32_t t = 0; t < n_targets; ++t) {
    int32_t& count = next_[static_cast<size_t>(t)];
    const int32_t end = begin + count;
    count = begin;  // from now on the place of its next item
    if (begin == end) continue;
    for (; begin < end; begin = piece_begin.back()) piece_begin.push_back(std::min(begin + kPieceItems, end));
    group_begin.push_back(static_cast<int32_t>(piece_begin.size()) - 1);
    group_target.push_back(t);
  }
  for (size_t i = 0; i < target.size(); ++i)
    item[static_cast<size_t>(next_[static_cast<size_t>(target[i])]++)] = static_cast<int32_t>(i);
}

void Segments::pad(Index n_groups, Index n_pieces) {
  group_begin.resize(static_cast<size_t>(n_groups) + 1, group_begin.back());
  group_target.resize(static_cast<size_t>(n_groups), 0);
  piece_begin.resize(static_cast<size_t>(n_pieces) + 1, piece_begin.back());
}

}  // namespace agpt::cuda
