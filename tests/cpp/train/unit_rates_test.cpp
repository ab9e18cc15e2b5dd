#include "cpp/train/unit_rates.h"

#include <doctest/doctest.h>

#include <cmath>

#include "cpp/base/error.h"
#include "cpp/rows/trie_rows.h"
#include "cpp/trie/index_builder.h"
#include "cpp/trie/trie_partition.h"
#include "tests/cpp/rows/collected_rows.h"
#include "tests/cpp/trie/random_corpora.h"

namespace agpt {
namespace {

constexpr UnitRate kRules[] = {UnitRate::inverse_depth, UnitRate::inverse_sqrt_depth, UnitRate::sqrt_mass};

double rate_by_brute_force(const std::map<Path, Targets>& rows, UnitRate rule) {
  double least_depth = kMaxDepth, mass = 0;
  for (const auto& [path, targets] : rows) {
    least_depth = std::min(least_depth, static_cast<double>(path.size()));
    for (const auto& [token, count] : targets) mass += count;
  }
  if (rule == UnitRate::inverse_depth) return 1 / least_depth;
  return rule == UnitRate::sqrt_mass ? std::sqrt(mass) : 1 / std::sqrt(least_depth);
}

TrieStepConfig random_units(Random& random, int depth) {
  TrieStepConfig config;
  config.unit = random.below(2) == 0 ? TrieStepConfig::Unit::ngram : TrieStepConfig::Unit::balanced;
  config.ngram = 1 + static_cast<int>(random.below(3));
  config.positions = depth + static_cast<Index>(random.below(20));
  config.order = random.below(2) == 0 ? StepOrder::fixed : StepOrder::shuffled;
  if (random.below(2) == 0) config.rows.max_depth = 1 + static_cast<int>(random.below(4));
  if (random.below(2) == 0) config.rows.tails = Tails::none;
  return config;
}

TEST_CASE("each unit has the rate of its rule, over the mean of all, and steps of several units their mean") {
  Random random(1);
  for (int round = 0; round < 60; ++round) {
    const TrieIndex index = build_trie_index(random_text(random, 300), {.depth = 6}, 1);
    TrieStepConfig config = random_units(random, index.depth());
    if (RowSelection(index, config.rows).n_rows() == 0) continue;
    for (const UnitRate rule : kRules) {
      config.unit_rate = rule;
      config.units_per_step = 1;
      const auto single = make_trie_source(index, config);
      const Index n_units = single->steps_per_pass();
      std::vector<double> expected;
      double mean = 0;
      for (Index unit = 0; unit < n_units; ++unit) {
        const std::map<Path, Targets> rows = collect_sum(single->work(unit));
        CHECK(!rows.empty());
        expected.push_back(rate_by_brute_force(rows, rule));
        mean += expected.back() / static_cast<double>(n_units);
      }
      for (Index unit = 0; unit < n_units; ++unit)
        CHECK(single->rate_factor(unit) == doctest::Approx(expected[static_cast<size_t>(unit)] / mean).epsilon(1e-12));

      config.units_per_step = 1 + static_cast<Index>(random.below(5));
      const auto grouped = make_trie_source(index, config);
      const Index n_steps = grouped->steps_per_pass();
      double sum = 0, relative = 0;  // rate over the mean of the units: the same for every step
      for (Index step = 0; step < n_steps; ++step) {
        const Index first = step * config.units_per_step, end = std::min(n_units, first + config.units_per_step);
        double units = 0;
        for (Index unit = first; unit < end; ++unit)
          units += single->rate_factor(unit) / static_cast<double>(end - first);
        if (step == 0) relative = grouped->rate_factor(0) / units;
        CHECK(grouped->rate_factor(step) == doctest::Approx(relative * units).epsilon(1e-12));
        sum += grouped->rate_factor(step);
      }
      CHECK(sum / static_cast<double>(n_steps) == doctest::Approx(1).epsilon(1e-12));
    }
  }
}

TEST_CASE("every pass has the mean rate 1, also where a unit meets others in each") {
  Random random(2);
  const TrieIndex index = build_trie_index(random_text(random, 400), {.depth = 6}, 1);
  TrieStepConfig config;
  config.unit = TrieStepConfig::Unit::balanced;
  config.positions = 12;
  config.units_per_step = 4;
  config.unit_rate = UnitRate::sqrt_mass;
  const auto source = make_trie_source(index, config);
  const Index n_steps = source->steps_per_pass();
  for (Index pass = 0; pass < 5; ++pass) {
    double sum = 0;
    for (Index step = 0; step < n_steps; ++step) sum += source->rate_factor(pass * n_steps + step);
    CHECK(sum / static_cast<double>(n_steps) == doctest::Approx(1).epsilon(1e-12));
  }
  CHECK(make_staged_source({{3, make_trie_source(index, {})}, {1, make_trie_source(index, config)}})->rate_factor(4) ==
        source->rate_factor(1));
}

TEST_CASE("the positions of rows left out do not count as mass") {
  Random random(3);
  const TrieIndex index = build_trie_index(random_text(random, 400), {.depth = 6}, 1);
  RowChoice core;
  core.tails = Tails::none;
  const std::vector<Index> units = partition_nodes(index, {.ngram = 1});
  const RowSelection selection(index, core);
  const std::vector<double> rates = unit_rates(selection, units, UnitRate::sqrt_mass);
  std::vector<double> expected;
  double mean = 0;
  for (size_t unit = 0; unit + 1 < units.size(); ++unit) {
    RowBatch batch;
    append_trie_rows(selection, selection.rows_before(units[unit]), selection.rows_before(units[unit + 1]), {}, batch);
    expected.push_back(std::sqrt(batch.total_weight));
    mean += expected.back() / static_cast<double>(units.size() - 1);
  }
  for (size_t unit = 0; unit < rates.size(); ++unit)
    CHECK(rates[unit] == doctest::Approx(expected[unit] / mean).epsilon(1e-12));
}

TEST_CASE("steps that are not made of units have no rates of their own") {
  Random random(4);
  const TrieIndex index = build_trie_index(random_text(random, 50), {.depth = 3}, 1);
  CHECK(make_trie_source(index, {})->rate_factor(3) == 1);
  for (const UnitRate rule : kRules) {
    TrieStepConfig config;
    config.unit_rate = rule;
    CHECK_THROWS_AS(make_trie_source(index, config), ArgumentError);
  }
}

}  // namespace
}  // namespace agpt
