// Ranges of a trie's pre-order as rows. Any range [begin, end) can be a batch: the only rows outside it that its rows
// attend to are the ancestors of its first row, and they are prepended as ghost rows (at most depth - 1 of them).
#pragma once

#include "cpp/rows/row_batch.h"
#include "cpp/rows/row_selection.h"
#include "cpp/rows/weighting.h"

namespace agpt {

/// More than the mass of any row.
constexpr Index kAnyMass = Index{1} << 62;

/// Appends the ghost rows of `begin` and the selected rows [begin, end) to the batch. Rows whose mass is above `most_mass`
/// become ghost rows too.
void append_trie_rows(const RowSelection& selection, Index begin, Index end, const Weighting& weighting,
                      RowBatch& batch, Index most_mass = kAnyMass);

/// The rows whose mass is above `mass`, down to `max_depth`. A row's ancestors have at least its mass, so these rows are
/// a forest of their own, the top of the trie: no ghost row is needed. `masses` (rows) is replaced by theirs.
RowBatch rows_heavier_than(const TrieIndex& index, Index mass, int max_depth, const Weighting& weighting,
                           std::vector<Index>& masses);

/// The least mass that at most `n_rows` rows exceed.
Index mass_exceeded_by(const TrieIndex& index, Index n_rows);

/// The best selected row to end a batch at, among `row` and the `slack` rows before it: the last of least depth, because
/// the batch that begins there needs the fewest ghost rows.
Index shallowest_cut(const RowSelection& selection, Index row, Index slack);

/// Sum of the weights of all selected rows.
double total_weight(const RowSelection& selection, const Weighting& weighting);

}  // namespace agpt
