// Learning rates of their own for the units of a trie: a plan that is made before training, with a mean of 1.
#pragma once

#include <span>
#include <vector>

#include "cpp/rows/row_selection.h"

namespace agpt {

/// r = 1, 1 / d, 1 / sqrt(d), sqrt(M); d is the least depth of the unit's selected rows, M the sum of their masses.
enum class UnitRate { none, inverse_depth, inverse_sqrt_depth, sqrt_mass };

/// r of each unit over the mean of all. `unit_begin` has the first node of each unit, then n_nodes(); for `none` the
/// result is empty. Throws ArgumentError where no unit has selected rows.
std::vector<double> unit_rates(const RowSelection& selection, std::span<const Index> unit_begin, UnitRate rule);

/// The rates of steps that take `units_per_step` units each, in order; the last step of a pass takes what is left. A step
/// has the mean of its units over the mean of that over the steps of the pass, so that the rates of a pass have the mean
/// 1 too.
class StepRates {
 public:
  /// unit_rate: from unit_rates(); units_per_step >= 1.
  StepRates(std::vector<double> unit_rate, Index units_per_step);

  /// `units`: those of the step. `last_units`: those of the last step of the same pass.
  double of_step(std::span<const size_t> units, std::span<const size_t> last_units) const;

 private:
  double sum(std::span<const size_t> units) const;

  std::vector<double> unit_rate_;
  Index units_per_step_;
};

}  // namespace agpt
