#include "cpp/rows/row_selection.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <string>

#include "cpp/base/error.h"
#include "cpp/base/random.h"
#include "cpp/rows/trie_rows.h"
#include "cpp/train/step_source.h"
#include "tests/cpp/trie/verified_index.h"

namespace agpt {
namespace {

using Weights = std::map<std::string, double>;  // of rows, by the text of their paths

std::string random_text(Random& random, Index n) {
  std::string text;
  for (Index i = 0; i < n; ++i) {
    const bool repeat = text.size() > 7 && random.below(3) > 0;
    text.push_back(repeat ? text[text.size() - 6] : "ab c\n"[random.below(5)]);
  }
  return text;
}

TrieIndex build(const std::string& text, int depth) {
  IndexOptions options;
  options.depth = depth;
  return build_verified_index(Corpus::from_text(text, VocabularyKind::characters), options, 1);
}

/// Every context of 1 .. depth characters with its count.
Weights counts_of(const std::string& text, int depth) {
  Weights counts;
  for (size_t i = 0; i + 1 < text.size(); ++i)
    for (size_t n = 1; n <= static_cast<size_t>(depth) && i + n < text.size(); ++n) ++counts[text.substr(i, n)];
  return counts;
}

/// Rows of the path, the last included, whose mass is 1.
size_t rows_on_tail(const Weights& counts, const std::string& path) {
  size_t n = 0;
  for (size_t length = 1; length <= path.size(); ++length) n += counts.at(path.substr(0, length)) == 1;
  return n;
}

bool is_selected(const Weights& counts, const std::string& path, const RowChoice& choice) {
  const size_t on_tail = rows_on_tail(counts, path);
  if (path.size() > static_cast<size_t>(choice.max_depth)) return false;
  switch (choice.tails) {
    case Tails::first:
      return on_tail <= static_cast<size_t>(choice.tail_rows);
    case Tails::whitespace:  // none of the tail's rows before this one reads white space
      return on_tail == 0 || path.substr(path.size() - on_tail, on_tail - 1).find_first_of(" \n") == std::string::npos;
    case Tails::none:
      return on_tail == 0;
    default:
      return true;
  }
}

void add_weights(const TrieIndex& index, const RowBatch& batch, Weights& weights) {
  std::vector<std::string> path_of;
  for (size_t row = 0; row < batch.token.size(); ++row) {
    const int32_t parent = batch.parent[row];
    const auto token = static_cast<Token>(batch.token[row]);
    path_of.push_back((parent < 0 ? "" : path_of[static_cast<size_t>(parent)]) +
                      index.vocabulary().decode(std::span(&token, 1)));
    if (batch.weight[row] > 0) weights[path_of.back()] += batch.weight[row];
  }
}

/// The selected rows in ranges of random lengths.
Weights weights_of(Random& random, const RowSelection& selection) {
  Weights weights;
  for (Index begin = 0, end; begin < selection.n_rows(); begin = end) {
    end = std::min(selection.n_rows(), begin + 1 + static_cast<Index>(random.below(30)));
    RowBatch batch;
    append_trie_rows(selection, begin, end, {}, batch);
    CHECK(batch.n_positions == end - begin);
    CHECK(batch.n_rows() - batch.n_positions == batch.n_leading_ghosts);
    add_weights(selection.index(), batch, weights);
  }
  return weights;
}

TEST_CASE("a selection has the rows that its rule names, each with its ancestors, whatever the cut into ranges") {
  Random random(1);
  for (int round = 0; round < 200; ++round) {
    const std::string text = random_text(random, 3 + static_cast<Index>(random.below(400)));
    const int depth = 1 + static_cast<int>(random.below(14));
    const TrieIndex index = build(text, depth);
    const Weights counts = counts_of(text, depth);
    for (const Tails tails : {Tails::full, Tails::first, Tails::whitespace, Tails::none}) {
      RowChoice choice;
      choice.tails = tails;
      choice.tail_rows = 1 + static_cast<int>(random.below(5));
      if (random.below(2) == 0) choice.max_depth = 1 + static_cast<int>(random.below(16));
      Weights expected;
      double total = 0;
      for (const auto& [path, count] : counts)
        if (is_selected(counts, path, choice)) total += expected[path] = count;
      const RowSelection selection(index, choice);
      CHECK(selection.n_rows() == static_cast<Index>(expected.size()));
      CHECK(weights_of(random, selection) == expected);
      CHECK(total_weight(selection, {}) == doctest::Approx(total));
    }
  }
}

TEST_CASE("rows before a node and the node of a row agree with a walk over the selection") {
  Random random(2);
  const TrieIndex index = build(random_text(random, 3000), 12);
  for (const Tails tails : {Tails::full, Tails::first, Tails::none, Tails::sampled}) {
    RowChoice choice;
    choice.tails = tails;
    choice.tail_rate = 0.5;
    const RowSelection selection(index, choice, 7);
    SelectionWalk walk(selection, 0);
    Index next = 0;
    for (SelectedEdge edge; walk.next(edge);) {
      CHECK(edge.first_selected == next);
      CHECK(selection.rows_before(edge.node) == next);
      for (Index i = 0; i < edge.n_selected(); ++i) CHECK(selection.node_of_row(next + i) == edge.node);
      next += edge.n_selected();
    }
    CHECK(next == selection.n_rows());
    CHECK(selection.rows_before(index.n_nodes()) == next);
  }
}

TEST_CASE("sampled tails are taken whole and in the mean over draws every row has its full weight") {
  Random random(3);
  const std::string text = random_text(random, 300);
  const int depth = 10;
  const TrieIndex index = build(text, depth);
  const Weights counts = counts_of(text, depth);
  RowChoice choice;
  choice.tails = Tails::sampled;
  choice.tail_rate = 0.25;
  constexpr int kDraws = 4000;
  Weights sum;
  for (int draw = 0; draw < kDraws; ++draw) {
    const RowSelection selection(index, choice, static_cast<uint64_t>(draw));
    RowBatch batch;
    append_trie_rows(selection, 0, selection.n_rows(), {}, batch);
    Weights weights;
    add_weights(index, batch, weights);
    for (const auto& [path, weight] : weights) {
      CHECK(weight == (counts.at(path) > 1 ? counts.at(path) : 1 / choice.tail_rate));
      const auto parent = path.substr(0, path.size() - 1);
      CHECK((parent.empty() || weights.count(parent) == 1));
      sum[path] += weight;
    }
  }
  const double deviation = std::sqrt((1 / choice.tail_rate - 1) / kDraws);  // of the mean weight of a row of mass 1
  for (const auto& [path, count] : counts)
    CHECK(std::abs(sum[path] / kDraws - count) < (count > 1 ? 1e-9 : 5 * deviation));
}

TEST_CASE("the steps of a pass give every selected row once, whatever the unit and how many units a step has") {
  Random random(4);
  for (int round = 0; round < 100; ++round) {
    const std::string text = random_text(random, 30 + static_cast<Index>(random.below(600)));
    const TrieIndex index = build(text, 1 + static_cast<int>(random.below(12)));
    const Weights counts = counts_of(text, index.depth());
    TrieStepConfig config;
    config.rows.tails = std::vector{Tails::full, Tails::first, Tails::none, Tails::sampled}[random.below(4)];
    config.rows.tail_rate = 0.5;
    if (std::none_of(counts.begin(), counts.end(), [](const auto& row) { return row.second > 1; })) continue;
    config.unit = std::vector{TrieStepConfig::Unit::whole, TrieStepConfig::Unit::ngram,
                              TrieStepConfig::Unit::positions}[random.below(3)];
    if (config.unit == TrieStepConfig::Unit::ngram)
      config.order = std::vector{StepOrder::fixed, StepOrder::shuffled, StepOrder::mass}[random.below(3)];
    config.ngram = 1 + static_cast<int>(random.below(3));
    config.units_per_step = 1 + static_cast<Index>(random.below(6));
    config.positions = 1 + static_cast<Index>(random.below(200));
    config.batch_rows = 1 + static_cast<Index>(random.below(50));
    const auto source = make_trie_source(index, config);
    for (Index pass = 0; pass < 2; ++pass) {
      Weights weights;
      for (Index step = 0; step < source->steps_per_pass(); ++step) {
        const StepWork work = source->work(pass * source->steps_per_pass() + step);
        for (Index b = 0; b < work.n_batches; ++b) {
          RowBatch batch;
          work.build(b, batch);
          Weights own;
          add_weights(index, batch, own);
          for (const auto& [path, weight] : own) CHECK(weights.emplace(path, weight).second);
        }
      }
      for (const auto& [path, count] : counts) {
        const bool is_tail = count == 1;
        if (config.rows.tails == Tails::sampled && is_tail) {
          CHECK((weights.count(path) == 0 || weights.at(path) == 2));
        } else if (is_selected(counts, path, config.rows)) {
          CHECK(weights.at(path) == count);
        } else {
          CHECK(weights.count(path) == 0);
        }
      }
    }
  }
}

TEST_CASE("units by mass come heaviest first, and small units share batches") {
  const TrieIndex index = build("abababababaccc bbb", 4);
  TrieStepConfig config;
  config.unit = TrieStepConfig::Unit::ngram;
  config.order = StepOrder::mass;
  const auto source = make_trie_source(index, config);
  double before = 1e9;
  for (Index step = 0; step < source->steps_per_pass(); ++step) {
    const StepWork work = source->work(step);
    CHECK(work.n_batches == 1);
    RowBatch batch;
    work.build(0, batch);
    CHECK(batch.weight[0] <= before);
    before = batch.weight[0];
  }
  config.units_per_step = 100;
  CHECK(make_trie_source(index, config)->steps_per_pass() == 1);
  CHECK(make_trie_source(index, config)->work(0).n_batches == 1);
}

TEST_CASE("choices out of range and white space without text are refused") {
  const TrieIndex index = build("abcabd", 3);
  RowChoice choice;
  choice.tail_rate = 0;
  CHECK_THROWS_AS(RowSelection(index, choice), ArgumentError);
  choice = {};
  choice.tail_rows = 0;
  CHECK_THROWS_AS(RowSelection(index, choice), ArgumentError);
  const std::vector<uint32_t> ids = {0, 1, 2, 0, 1};
  const TrieIndex without_text =
      build_verified_index(Corpus::from_tokens<uint32_t>(ids, std::nullopt), IndexOptions{.depth = 2}, 1);
  choice = {};
  choice.tails = Tails::whitespace;
  CHECK_THROWS_AS(RowSelection(without_text, choice), ArgumentError);
  TrieStepConfig config;
  config.order = StepOrder::mass;
  CHECK_THROWS_AS(make_trie_source(index, config), ArgumentError);
}

}  // namespace
}  // namespace agpt
