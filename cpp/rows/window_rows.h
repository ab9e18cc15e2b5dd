// Windows of text as rows: each window is a unary chain from the root, so ordinary window training is the same engine
// with sharing switched off.
#pragma once

#include "cpp/rows/row_batch.h"

namespace agpt {

/// Appends one window of n_rows + 1 tokens, of which token_at(i) is number i: rows for all but the last, each with the
/// token behind it as its one target, of weight `weight`. Rows before `first_scored` are context alone (weight 0).
template <class TokenAt>
void append_window_rows(TokenAt token_at, Index n_rows, RowBatch& batch, Index first_scored = 0, double weight = 1) {
  int32_t parent = -1;
  for (Index i = 0; i < n_rows; ++i) {
    parent = batch.begin_row(static_cast<Token>(token_at(i)), static_cast<int32_t>(i), parent);
    if (i >= first_scored) batch.add_target(static_cast<Token>(token_at(i + 1)), weight);
    batch.end_row();
  }
}

}  // namespace agpt
