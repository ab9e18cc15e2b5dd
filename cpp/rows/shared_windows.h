// Windows of text that score few of their rows, as one forest: what they read first is computed once where it is equal.
#pragma once

#include <span>
#include <vector>

#include "cpp/corpus/token_view.h"
#include "cpp/rows/row_batch.h"

namespace agpt {

/// Tokens [begin, end) of a text, of which the last is only a target. Rows before `first_scored` are context alone.
struct ScoredWindow {
  Index begin = 0, end = 0, first_scored = 0;
};

/// Orders windows by what they read, so that those with equal beginnings are neighbours; ties by their place.
void sort_by_beginning(const TokenView& text, std::vector<ScoredWindow>& windows);

/// Appends windows: first the context rows of all of them, of which neighbours share equal ones, then the scored rows,
/// window by window, each with the token behind it as its one target, of weight 1.
void append_shared_windows(const TokenView& text, std::span<const ScoredWindow> windows, RowBatch& batch);

}  // namespace agpt
