#include "cpp/rows/trie_rows.h"

#include <doctest/doctest.h>

#include <map>

#include "cpp/base/random.h"
#include "cpp/train/step_source.h"
#include "tests/cpp/rows/collected_rows.h"
#include "tests/cpp/trie/verified_index.h"

namespace agpt {
namespace {

Corpus random_corpus(Random& random, Index n, uint64_t vocabulary) {
  std::vector<uint32_t> ids;
  for (Index i = 0; i < n; ++i) {
    const bool repeat = ids.size() > 5 && random.below(3) == 0;
    ids.push_back(repeat ? ids[ids.size() - 4] : static_cast<uint32_t>(random.below(vocabulary)));
  }
  return Corpus::from_tokens<uint32_t>(ids, static_cast<Index>(vocabulary));
}

TrieIndex build(const Corpus& corpus, int depth) {
  IndexOptions options;
  options.depth = depth;
  return build_verified_index(corpus, options, 1);
}

/// Every context of 1 .. depth tokens with the counts of what follows it.
std::map<Path, Targets> all_contexts(const Corpus& corpus, int depth) {
  std::map<Path, Targets> contexts;
  const TokenView tokens = corpus.tokens();
  for (Index i = 0; i < tokens.size(); ++i) {
    Path path;
    for (Index k = i; k + 1 < tokens.size() && k - i < depth; ++k) {
      path.push_back(static_cast<int32_t>(tokens[k]));
      contexts[path][static_cast<int32_t>(tokens[k + 1])] += 1;
    }
  }
  return contexts;
}

TEST_CASE(
    "any cut of the pre-order into ranges gives every context once, with its ancestors as ghosts and its counts as "
    "targets") {
  Random random(1);
  for (int round = 0; round < 300; ++round) {
    const Corpus corpus = random_corpus(random, 2 + static_cast<Index>(random.below(120)), 1 + random.below(5));
    const int depth = 1 + static_cast<int>(random.below(12));
    const TrieIndex index = build(corpus, depth);
    std::map<Path, Targets> rows;
    for (Index begin = 0; begin < index.n_positions();) {
      const Index end = std::min(index.n_positions(), begin + 1 + static_cast<Index>(random.below(40)));
      RowBatch batch;
      append_trie_rows(RowSelection(index), begin, end, {}, batch);
      CHECK(batch.n_positions == end - begin);
      CHECK(batch.n_rows() - batch.n_positions == batch.n_leading_ghosts);
      CHECK(batch.n_leading_ghosts < depth);
      collect(batch, rows);
      begin = end;
    }
    CHECK(rows == all_contexts(corpus, depth));
  }
}

TEST_CASE("the steps of a pass give every context once, whatever the unit, the order and the size of a batch") {
  Random random(2);
  for (int round = 0; round < 60; ++round) {
    const Corpus corpus = random_corpus(random, 2 + static_cast<Index>(random.below(200)), 1 + random.below(5));
    const int depth = 1 + static_cast<int>(random.below(10));
    const TrieIndex index = build(corpus, depth);
    const std::map<Path, Targets> expected = all_contexts(corpus, depth);
    for (const auto unit : {TrieStepConfig::Unit::whole, TrieStepConfig::Unit::ngram, TrieStepConfig::Unit::balanced,
                            TrieStepConfig::Unit::positions})
      for (const StepOrder order : {StepOrder::fixed, StepOrder::shuffled}) {
        TrieStepConfig config;
        config.unit = unit;
        config.order = order;
        config.ngram = 1 + static_cast<int>(random.below(static_cast<uint64_t>(depth) + 1));
        config.positions = depth + static_cast<Index>(random.below(100));
        config.batch_rows = 1 + static_cast<Index>(random.below(50));
        const auto source = make_trie_source(index, config);
        CHECK(source->pass_positions() == index.n_positions());
        const Index pass = static_cast<Index>(random.below(3));
        std::map<Path, Targets> rows;
        for (Index step = 0; step < source->steps_per_pass(); ++step) {
          const StepWork work = source->work(pass * source->steps_per_pass() + step);
          for (Index b = 0; b < work.n_batches; ++b) {
            RowBatch batch;
            work.build(b, batch);
            collect(batch, rows);
          }
        }
        CHECK(rows == expected);
      }
  }
}

TEST_CASE("heavy rows come in parts that sum to what they were over a pass, and no part is much of a step") {
  Random random(5);
  Index n_spread = 0;
  for (int round = 0; round < 40; ++round) {
    const Corpus corpus = random_corpus(random, 50 + static_cast<Index>(random.below(3000)), 1 + random.below(5));
    const TrieIndex index = build(corpus, 1 + static_cast<int>(random.below(10)));
    TrieStepConfig config;
    config.positions = 40 + static_cast<Index>(random.below(400));
    config.batch_rows = 8;
    config.spread_heavy = true;
    const auto source = make_trie_source(index, config);
    const Index n_steps = source->steps_per_pass();
    std::map<Path, Targets> sum;
    std::map<Path, Index> steps_with;
    std::map<Path, double> part;
    for (Index step = 0; step < n_steps; ++step) {
      const StepWork work = source->work(n_steps + step);
      std::map<Path, double> weight;
      for (Index b = 0; b < work.n_batches; ++b) {
        RowBatch batch;
        work.build(b, batch);
        std::map<Path, Targets> rows;
        collect(batch, rows);
        for (const auto& [path, targets] : rows)
          for (const auto& [token, target_weight] : targets) {
            sum[path][token] += target_weight;
            weight[path] += target_weight;
          }
      }
      for (const auto& [path, value] : weight) {
        ++steps_with[path];
        part[path] = std::max(part[path], value);
      }
    }
    const std::map<Path, Targets> expected = all_contexts(corpus, index.depth());
    CHECK(sum.size() == expected.size());
    for (const auto& [path, targets] : expected) {
      n_spread += steps_with[path] > 1;
      // A row is heavy from about four mean rows on; a step may visit a row more than once, but not much more than its
      // share.
      const double mean_mass = index.total_mass() / static_cast<double>(index.n_positions());
      double mass = 0;
      for (const auto& [token, count] : targets) mass += count;
      CHECK(part[path] <= (8 * mean_mass + 2) + 2 * mass / static_cast<double>(n_steps));
      for (const auto& [token, count] : targets) CHECK(sum[path][token] == doctest::Approx(count).epsilon(1e-12));
    }
  }
  CHECK(n_spread > 500);
}

TEST_CASE("a partition by n-grams never puts two paths of n tokens into one step") {
  Random random(3);
  const Corpus corpus = random_corpus(random, 300, 4);
  const TrieIndex index = build(corpus, 9);
  for (const int ngram : {1, 2, 3}) {
    TrieStepConfig config;
    config.unit = TrieStepConfig::Unit::ngram;
    config.ngram = ngram;
    const auto source = make_trie_source(index, config);
    Index n_paths = 0;
    for (const auto& [path, targets] : all_contexts(corpus, 9)) n_paths += static_cast<int>(path.size()) == ngram;
    CHECK(source->steps_per_pass() == n_paths);
    for (Index step = 0; step < source->steps_per_pass(); ++step) {
      const StepWork work = source->work(step);
      std::map<Path, Targets> rows;
      for (Index b = 0; b < work.n_batches; ++b) {
        RowBatch batch;
        work.build(b, batch);
        collect(batch, rows);
      }
      std::map<Path, int> heads;
      for (const auto& [path, targets] : rows)
        if (static_cast<int>(path.size()) >= ngram) ++heads[Path(path.begin(), path.begin() + ngram)];
      CHECK(heads.size() == 1);
    }
  }
}

TEST_CASE("a batch begins where few ghost rows are needed") {
  Random random(4);
  const TrieIndex index = build(random_corpus(random, 2000, 5), 30);
  Index ghosts_at_cuts = 0, ghosts_anywhere = 0;
  for (Index row = 64; row < index.n_positions(); row += 64) {
    const Index cut = shallowest_cut(RowSelection(index), row, 32);
    CHECK(cut <= row);
    CHECK(cut >= row - 32);
    for (const auto& [begin, sum] : {std::pair{cut, &ghosts_at_cuts}, std::pair{row, &ghosts_anywhere}}) {
      RowBatch batch;
      append_trie_rows(RowSelection(index), begin, begin + 1, {}, batch);
      *sum += batch.n_leading_ghosts;
    }
  }
  CHECK(ghosts_at_cuts * 2 < ghosts_anywhere);
}

}  // namespace
}  // namespace agpt
