#include "cpp/rows/sequence_trie.h"

#include <doctest/doctest.h>

#include "cpp/base/random.h"

namespace agpt::test {
namespace {

/// Prompts of which no two begin alike, each with several completions.
WeightedSequences rollouts(size_t n_prompts, size_t prompt, size_t n_completions, size_t completion) {
  Random random(7);
  WeightedSequences all;
  for (size_t p = 0; p < n_prompts; ++p) {
    std::vector<Token> sequence = {static_cast<Token>(p)};
    while (sequence.size() < prompt) sequence.push_back(static_cast<Token>(random.below(50)));
    for (size_t c = 0; c < n_completions; ++c) {
      sequence.resize(prompt);
      while (sequence.size() < prompt + completion) sequence.push_back(static_cast<Token>(random.below(50)));
      all.add(sequence);
    }
  }
  return all;
}

Index ghosts(const SequenceTrie& trie, const std::vector<Index>& cuts) {
  Index sum = 0;
  for (size_t i = 0; i + 1 < cuts.size(); ++i) {
    RowBatch batch;
    trie.append(cuts[i], cuts[i + 1], batch);
    sum += batch.n_rows() - (cuts[i + 1] - cuts[i]);
  }
  return sum;
}

TEST_CASE("batches of a tree of sequences hold each row once and are half to three times as large as asked for") {
  const SequenceTrie trie(rollouts(9, 30, 8, 20), Vocabulary::of_tokens(50, false));
  for (const Index size : {1, 2, 7, 64, 200, 1000, 100000}) {
    const std::vector<Index> cuts = trie.cuts(size);
    CHECK(cuts.front() == 0);
    CHECK(cuts.back() == trie.n_rows());
    for (size_t i = 0; i + 1 < cuts.size(); ++i) {
      CHECK(cuts[i + 1] - cuts[i] <= 3 * size);
      if (i + 2 < cuts.size()) CHECK(2 * (cuts[i + 1] - cuts[i]) >= size);
    }
  }
}

TEST_CASE("no ancestor is computed twice where the sequences of a prompt fit into a batch") {
  const WeightedSequences sequences = rollouts(20, 30, 8, 20);
  const SequenceTrie trie(sequences, Vocabulary::of_tokens(50, false));
  CHECK(ghosts(trie, trie.cuts(150)) == 0);
  const SequenceTrie one_by_one(sequences, Vocabulary::of_tokens(50, false), false);
  CHECK(one_by_one.n_rows() == trie.n_flat_rows());
  CHECK(ghosts(one_by_one, one_by_one.cuts(60)) == 0);
}

}  // namespace
}  // namespace agpt::test
