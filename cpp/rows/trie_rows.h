// Ranges of a trie's pre-order as rows. Any range [begin, end) can be a batch: the only rows outside it that its rows
// attend to are the ancestors of its first row, and they are prepended as ghost rows (at most depth - 1 of them).
#pragma once

#include <span>
#include <vector>

#include "cpp/rows/row_batch.h"
#include "cpp/rows/row_selection.h"
#include "cpp/rows/weighting.h"

namespace agpt {

/// More than the mass of any row.
constexpr Index kAnyMass = Index{1} << 62;

/// Factors of the weights of rows, asked for along a walk in pre-order.
class RowFactors {
 public:
  virtual ~RowFactors() = default;
  /// The walk moved to this edge; the first call may be for any edge.
  virtual void enter(const TrieEdge& edge) = 0;
  /// Factor of the row at `depth` on the edge entered last.
  virtual double of_row(int depth) const = 0;
};

/// Appends the ghost rows of `begin` and the selected rows [begin, end) to the batch. Rows whose mass is above
/// `most_mass` become ghost rows too.
void append_trie_rows(const RowSelection& selection, Index begin, Index end, const Weighting& weighting,
                      RowBatch& batch, Index most_mass = kAnyMass, RowFactors* factors = nullptr);

/// Appends all rows on the edges of `nodes`, which are in pre-order and with each node hold its ancestors: a path or a
/// forest.
void append_path_rows(const TrieIndex& index, std::span<const Index> nodes, const Weighting& weighting, RowBatch& batch,
                      RowFactors* factors = nullptr);

/// Appends all rows on the edges of `nodes`, their ancestors as ghost rows. The weights of node i are multiplied by
/// factors[i]; without factors by 1. The nodes must be in pre-order, and none may be an ancestor of another.
void append_edge_rows(const TrieIndex& index, std::span<const Index> nodes, std::span<const double> factors,
                      const Weighting& weighting, RowBatch& batch);

/// The rows whose mass is above `mass`, down to `max_depth`. A row's ancestors have at least its mass, so these rows are
/// a forest of their own, the top of the trie: no ghost row is needed. `masses` (rows) is replaced by theirs. Targets are
/// not blended, whatever the weighting says: there would be too many to keep.
RowBatch rows_heavier_than(const TrieIndex& index, Index mass, int max_depth, const Weighting& weighting,
                           std::vector<Index>& masses);

/// The least mass that at most `n_rows` rows exceed.
Index mass_exceeded_by(const TrieIndex& index, Index n_rows);

/// The best selected row to end a batch at, among `row` and the `slack` rows before it: the last of least depth, because
/// the batch that begins there needs the fewest ghost rows.
Index shallowest_cut(const RowSelection& selection, Index row, Index slack);

/// Sum of the weights of all selected rows, times the factors where given.
double total_weight(const RowSelection& selection, const Weighting& weighting, RowFactors* factors = nullptr);

}  // namespace agpt
