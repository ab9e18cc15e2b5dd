#include "cpp/rows/target_blend.h"

#include <doctest/doctest.h>

#include <cmath>

#include "cpp/base/error.h"
#include "cpp/rows/trie_rows.h"
#include "cpp/rows/trie_windows.h"
#include "cpp/trie/index_builder.h"
#include "tests/cpp/rows/collected_rows.h"
#include "tests/cpp/trie/random_corpora.h"

namespace agpt {
namespace {

using Contexts = std::map<Path, Targets>;

double sum_of(const Targets& targets) {
  double sum = 0;
  for (const auto& [token, weight] : targets) sum += weight;
  return sum;
}

RowBatch all_rows(const TrieIndex& index, const Weighting& weighting) {
  const RowSelection everything(index);
  RowBatch batch;
  append_trie_rows(everything, 0, everything.n_rows(), weighting, batch);
  return batch;
}

/// Every row of the index with the counts of what follows it.
Contexts counts_of(const TrieIndex& index) {
  Contexts counts;
  collect(all_rows(index, {}), counts);
  return counts;
}

/// Paths part or end here.
bool is_endpoint(const Contexts& counts, const Path& path) {
  const Targets& targets = counts.at(path);
  if (targets.size() > 1) return true;
  Path child = path;
  child.push_back(targets.begin()->first);
  return !counts.contains(child);
}

/// The target distribution of a row, from the dictionary of counts alone.
Targets blended(const Contexts& counts, const Path& path, const Blending& blending) {
  const Targets& own = counts.at(path);
  const double mass = sum_of(own);
  const bool is_changed = is_endpoint(counts, path) && mass >= static_cast<double>(blending.least_mass);
  const double share = is_changed ? blending.share : 0;
  Targets result;
  double total = 0;
  for (size_t skipped = 0; skipped < path.size(); ++skipped) {
    const auto suffix = counts.find(Path(path.begin() + static_cast<Index>(skipped), path.end()));
    if (suffix == counts.end()) continue;
    const double n = sum_of(suffix->second);
    total += std::log(1 + n);
    for (const auto& [token, count] : suffix->second) result[token] += share * std::log(1 + n) * count / n;
  }
  for (auto& [token, weight] : result) weight /= total;
  for (const auto& [token, count] : own) result[token] += (1 - share) * count / mass;
  std::erase_if(result, [](const auto& target) { return target.second == 0; });
  return result;
}

void check_equal(const Targets& got, const Targets& expected, double weight) {
  CHECK(got.size() == expected.size());
  for (const auto& [token, share] : expected) CHECK(got.at(token) == doctest::Approx(weight * share).epsilon(1e-12));
  CHECK(sum_of(got) == doctest::Approx(weight).epsilon(1e-12));
}

Blending random_blending(Random& random) {
  return {random.below(4) == 0 ? 1.0 : 0.01 + 0.98 * random.uniform(), 1 + static_cast<Index>(random.below(4))};
}

TEST_CASE("blended targets are those of a dictionary of counts for every index, and sum to the weight of their row") {
  Random random(1);
  Index n_changed = 0;
  for (int round = 0; round < 300; ++round) {
    const TrieIndex index = build_trie_index(random_text(random, 120), random_options(random, false), 1);
    const Contexts counts = counts_of(index);
    Weighting weighting{.mass = static_cast<MassWeight>(random.below(4)), .entropy_lambda = random.uniform()};
    const RowBatch unblended = all_rows(index, weighting);
    const Blending blending = random_blending(random);
    const auto n_ready = static_cast<Index>(random.below(random.below(3) == 0 ? 1000 : 30));
    weighting.blend = std::make_shared<TargetBlend>(index, blending, n_ready);
    const RowBatch batch = all_rows(index, weighting);
    Contexts rows, own;
    collect(batch, rows);
    collect(unblended, own);
    REQUIRE(rows.size() == counts.size());
    for (const auto& [path, targets] : rows) {
      check_equal(targets, blended(counts, path, blending), sum_of(own.at(path)));
      n_changed += targets.size() > own.at(path).size();
    }
  }
  CHECK(n_changed > 1000);
}

TEST_CASE("endpoints below the least mass leave every bit of a batch as it is") {
  Random random(2);
  const TrieIndex index = build_trie_index(random_text(random, 2000), {.depth = 9}, 1);
  const RowBatch plain = all_rows(index, {});
  const RowBatch batch = all_rows(index, {.blend = std::make_shared<TargetBlend>(index, Blending{0.5, kAnyMass})});
  CHECK(batch.target_begin == plain.target_begin);
  CHECK(batch.target_token == plain.target_token);
  CHECK(batch.target_weight == plain.target_weight);
  CHECK(batch.weight == plain.weight);
}

TEST_CASE("the parts of heavy rows sum to their blended targets over a pass") {
  Random random(3);
  for (int round = 0; round < 20; ++round) {
    const TrieIndex index = build_trie_index(random_text(random, 1500), {.depth = 6}, 1);
    if (index.n_positions() == 0) continue;
    TrieStepConfig config;
    config.positions = 40;
    config.batch_rows = 8;
    config.spread_heavy = true;
    const Blending blending = random_blending(random);
    config.weighting.blend = std::make_shared<TargetBlend>(index, blending);
    const auto source = make_trie_source(index, config);
    const Contexts counts = counts_of(index);
    Contexts sum;
    for (Index step = 0; step < source->steps_per_pass(); ++step)
      for (const auto& [path, targets] : collect_sum(source->work(step)))
        for (const auto& [token, weight] : targets) sum[path][token] += weight;
    REQUIRE(sum.size() == counts.size());
    for (const auto& [path, targets] : sum)
      check_equal(targets, blended(counts, path, blending), sum_of(counts.at(path)));
  }
}

TEST_CASE("windows blend the targets of the endpoints that they run through, each row of weight 1") {
  Random random(4);
  for (int round = 0; round < 60; ++round) {
    IndexOptions options{.depth = 1 + static_cast<int>(random.below(8))};
    if (random.below(2) == 0) options.prune_min_mass = 2;
    const TrieIndex index = build_trie_index(random_text(random, 200), options, 1);
    const Contexts counts = counts_of(index);
    const Blending blending = random_blending(random);
    const Index start = static_cast<Index>(random.below(static_cast<uint64_t>(index.n_tokens() - 1)));
    RowBatch batch;
    TrieWindows(index, std::make_shared<TargetBlend>(index, blending))
        .append(start, std::min<Index>(12, index.n_tokens() - 1 - start), batch);
    Contexts rows;
    collect(batch, rows);
    for (const auto& [path, targets] : rows) {
      const Index next = start + static_cast<Index>(path.size());
      const Targets text = {{static_cast<int32_t>(index.token(next)), 1}};
      check_equal(targets, counts.contains(path) ? blended(counts, path, blending) : text, 1);
    }
  }
}

TEST_CASE("what cannot be blended is refused") {
  Random random(5);
  const TrieIndex index = build_trie_index(random_text(random, 50), {.depth = 3}, 1);
  CHECK_THROWS_WITH_AS(TargetBlend(index, {1.5, 1}), "blend is 1.500000, but must be from 0 to 1", ArgumentError);
  CHECK_THROWS_WITH_AS(TargetBlend(index, {std::nan(""), 1}), "blend is nan, but must be from 0 to 1", ArgumentError);
  CHECK_THROWS_WITH_AS(TargetBlend(index, {0.5, 0}), "blend_min_mass is 0, but must be at least 1", ArgumentError);
  IndexOptions options{.depth = 3};
  options.starts.rule = Starts::Rule::documents;
  const std::vector<std::vector<Token>> texts = {{1, 2, 1}, {2, 2}};
  const TrieIndex documents = build_trie_index(Corpus::from_token_documents(texts, {}), options, 1);
  CHECK_THROWS_AS(TargetBlend(documents, {0.5, 1}), ArgumentError);
}

}  // namespace
}  // namespace agpt
