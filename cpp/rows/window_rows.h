// Windows of text as rows: each window is a unary chain from the root, so ordinary window training is the same engine
// with sharing switched off.
#pragma once

#include <span>

#include "cpp/rows/row_batch.h"

namespace agpt {

/// Appends one window: rows for tokens[0 .. n-1), each with the token behind it as its one target, of weight `weight`.
/// Rows before `first_scored` are context alone (weight 0).
template <class Id>
void append_window_rows(std::span<const Id> tokens, RowBatch& batch, Index first_scored = 0, double weight = 1) {
  int32_t parent = -1;
  for (size_t i = 0; i + 1 < tokens.size(); ++i) {
    parent = batch.begin_row(static_cast<Token>(tokens[i]), static_cast<int32_t>(i), parent);
    if (static_cast<Index>(i) >= first_scored) batch.add_target(static_cast<Token>(tokens[i + 1]), weight);
    batch.end_row();
  }
}

}  // namespace agpt
