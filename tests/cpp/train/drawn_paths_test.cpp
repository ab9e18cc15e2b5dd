// The forest of drawn paths against the trie that they are drawn from.
#include "cpp/train/drawn_paths.h"

#include <doctest/doctest.h>

#include <numeric>

#include "cpp/base/random.h"
#include "cpp/train/step_source.h"
#include "cpp/train/trie_sampler.h"
#include "tests/cpp/rows/collected_rows.h"
#include "tests/cpp/trie/sample_indexes.h"
#include "tests/cpp/trie/verified_index.h"

namespace agpt {
namespace {

using Starts = std::vector<Index>;

const Weighting kOne = {MassWeight::off, 0, 1};

Index n_starts(const TrieIndex& index) { return TrieSampler(index, {}).n_starts(); }

StepWork work_of(const TrieIndex& index, const Starts& starts, Index batch_rows, std::optional<double> scale,
                 const Weighting& weighting) {
  auto forest = std::make_shared<const DrawnPaths>(index, starts, batch_rows, scale);
  return {forest->n_batches(), [forest, weighting](Index i, RowBatch& batch) { forest->append(i, weighting, batch); }};
}

void check_equal(const std::map<Path, Targets>& rows, const std::map<Path, Targets>& expected) {
  REQUIRE(rows.size() == expected.size());
  for (const auto& [path, targets] : expected) {
    REQUIRE(rows.count(path) == 1);
    REQUIRE(rows.at(path).size() == targets.size());
    for (const auto& [token, weight] : targets)
      CHECK(rows.at(path).at(token) == doctest::Approx(weight).epsilon(1e-12));
  }
}

TEST_CASE(
    "the paths of all starts, corrected, are the trie with its weights, whatever its kind and the size of batches") {
  for (const SampleIndex& sample : make_sample_indexes()) {
    CAPTURE(sample.name);
    const TrieIndex& index = sample.index;
    if (index.n_positions() == 0) continue;
    Starts starts(static_cast<size_t>(n_starts(index)));
    std::iota(starts.begin(), starts.end(), 0);
    for (const MassWeight mass : {MassWeight::linear, MassWeight::sqrt}) {
      const Weighting weighting = {mass, 0.5, 1};
      RowBatch whole;
      append_trie_rows(RowSelection(index), 0, index.n_positions(), weighting, whole);
      std::map<Path, Targets> expected;
      collect(whole, expected);
      for (const Index batch_rows : {1, 17, 1000000})
        check_equal(collect_sum(work_of(index, starts, batch_rows, 1, weighting)), expected);
    }
  }
}

TEST_CASE("a start is a path from the root, of which every row weighs the same where masses are linear") {
  for (const SampleIndex& sample : make_sample_indexes()) {
    CAPTURE(sample.name);
    const TrieIndex& index = sample.index;
    for (Index start = 0; start < (index.n_positions() == 0 ? 0 : n_starts(index)); ++start) {
      const DrawnPaths path(index, Starts{start}, 1, 3);
      REQUIRE(path.n_batches() == 1);
      RowBatch batch;
      path.append(0, {}, batch);
      REQUIRE(batch.n_rows() > 0);
      REQUIRE(batch.n_positions == batch.n_rows());
      CHECK(batch.weight[0] == doctest::Approx(3).epsilon(1e-12));
      for (Index row = 0; row < batch.n_rows(); ++row) {
        REQUIRE(batch.position[static_cast<size_t>(row)] == row);
        // Less where another start ends on the way.
        CHECK(batch.weight[static_cast<size_t>(row)] <= 3 * (1 + 1e-12));
      }
    }
  }
}

TEST_CASE("merged paths are their sum, in batches of at most as many rows as allowed, or of one path") {
  Random random(3);
  for (const SampleIndex& sample : make_sample_indexes()) {
    CAPTURE(sample.name);
    const TrieIndex& index = sample.index;
    if (index.n_positions() == 0) continue;
    Starts starts(40);
    for (Index& start : starts) start = static_cast<Index>(random.below(static_cast<uint64_t>(n_starts(index))));
    std::sort(starts.begin(), starts.end());
    std::map<Path, Targets> expected;
    Index longest = 0;
    for (const Index start : starts) {
      const StepWork alone = work_of(index, {start}, 1, {}, kOne);
      for (const auto& [path, targets] : collect_sum(alone)) {
        longest = std::max(longest, static_cast<Index>(path.size()));
        for (const auto& [token, weight] : targets) expected[path][token] += weight;
      }
    }
    for (const Index batch_rows : {1, 8, 30, 1000}) {
      const StepWork merged = work_of(index, starts, batch_rows, {}, kOne);
      check_equal(collect_sum(merged), expected);
      Index n_rows = 0;
      for (Index i = 0; i < merged.n_batches; ++i) {
        RowBatch batch;
        merged.build(i, batch);
        CHECK(batch.n_rows() > 0);
        CHECK(batch.n_rows() <= std::max(batch_rows, longest));
        n_rows += batch.n_rows();
      }
      if (merged.n_batches == 1) CHECK(n_rows == static_cast<Index>(expected.size()));
    }
  }
}

TEST_CASE("the paths of a step fill an even number of batches alike, as far as one step is like another") {
  Random random(3);
  std::vector<uint8_t> tokens;
  for (Index i = 0; i < 5000; ++i) tokens.push_back(static_cast<uint8_t>(random.below(7)));
  IndexOptions options;
  options.depth = 12;
  const TrieIndex index = build_verified_index(Corpus::from_tokens<uint8_t>(tokens, 7), options, 1);
  for (const Index positions : {600, 1200, 2048}) {
    CAPTURE(positions);
    SampleStepConfig steps;
    steps.positions = positions;
    const auto source = make_sample_source(index, steps);
    constexpr Index kSteps = 20;
    Index n_even = 0;
    for (Index step = 0; step < kSteps; ++step) {
      const StepWork work = source->work(step);
      Index rows = 0, largest = 0;
      for (Index i = 0; i < work.n_batches; ++i) {
        RowBatch batch;
        work.build(i, batch);
        rows += batch.n_rows();
        largest = std::max(largest, batch.n_rows());
      }
      CHECK(largest <= steps.batch_rows);
      const bool is_even = work.n_batches % 2 == 0 && largest * work.n_batches <= rows * 11 / 10;
      n_even += is_even ? 1 : 0;
    }
    CHECK(n_even >= kSteps * 9 / 10);
  }
}

}  // namespace
}  // namespace agpt
