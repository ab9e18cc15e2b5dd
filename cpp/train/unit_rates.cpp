#include "cpp/train/unit_rates.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "cpp/base/error.h"

namespace agpt {
namespace {

struct UnitFigures {
  int least_depth = kMaxDepth;
  double mass = 0;  // of the selected rows
};

std::vector<UnitFigures> measure_units(const RowSelection& selection, std::span<const Index> unit_begin) {
  std::vector<UnitFigures> units(unit_begin.size() - 1);
  SelectionWalk walk(selection, unit_begin.front());
  SelectedEdge edge;
  for (size_t unit = 0; unit < units.size(); ++unit)
    for (Index node = unit_begin[unit]; node < unit_begin[unit + 1] && walk.next(edge); ++node) {
      if (edge.n_selected() == 0) continue;
      UnitFigures& figures = units[unit];
      figures.least_depth = std::min(figures.least_depth, edge.parent_depth + 1);
      for (int depth = edge.parent_depth + 1; depth <= edge.last_depth; ++depth)
        figures.mass += walk.trie().row_mass(depth);
    }
  return units;
}

double rate_of(const UnitFigures& unit, UnitRate rule) {
  switch (rule) {
    case UnitRate::inverse_depth:
      return 1.0 / unit.least_depth;
    case UnitRate::inverse_sqrt_depth:
      return 1 / std::sqrt(unit.least_depth);
    case UnitRate::sqrt_mass:
      return std::sqrt(unit.mass);
    case UnitRate::none:
      break;
  }
  return 1;
}

}  // namespace

std::vector<double> unit_rates(const RowSelection& selection, std::span<const Index> unit_begin, UnitRate rule) {
  std::vector<double> rates;
  if (rule == UnitRate::none) return rates;
  for (const UnitFigures& unit : measure_units(selection, unit_begin)) rates.push_back(rate_of(unit, rule));
  const double mean = std::accumulate(rates.begin(), rates.end(), 0.0) / static_cast<double>(rates.size());
  AGPT_REQUIRE(mean > 0, "no unit has positions to train on: choose other tails, or a greater depth");
  for (double& rate : rates) rate /= mean;
  return rates;
}

StepRates::StepRates(std::vector<double> unit_rate, Index units_per_step)
    : unit_rate_(std::move(unit_rate)), units_per_step_(units_per_step) {}

double StepRates::sum(std::span<const size_t> units) const {
  double sum = 0;
  for (const size_t unit : units) sum += unit_rate_[unit];
  return sum;
}

double StepRates::of_step(std::span<const size_t> units, std::span<const size_t> last_units) const {
  if (unit_rate_.empty()) return 1;
  // All units sum to their number. The last step is the only one whose number of units may differ.
  const auto n_units = static_cast<double>(unit_rate_.size()), per_step = static_cast<double>(units_per_step_);
  const double last = sum(last_units), n_last = static_cast<double>(last_units.size());
  const double n_steps = (n_units - n_last) / per_step + 1;
  const double mean_over_pass = ((n_units - last) / per_step + last / n_last) / n_steps;
  return sum(units) / static_cast<double>(units.size()) / mean_over_pass;
}

}  // namespace agpt
