// Queries against brute force over the text, on random indexes of every kind.
#include "cpp/trie/trie_queries.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "cpp/base/error.h"
#include "cpp/trie/continuation_sampler.h"
#include "cpp/trie/path_occurrences.h"
#include "tests/cpp/trie/brute_force_trie.h"
#include "tests/cpp/trie/random_corpora.h"
#include "tests/cpp/trie/verified_index.h"

namespace agpt {
namespace {

using Path = BruteForceTrie::Path;

struct Case {
  explicit Case(Random& random, bool documents)
      : corpus(documents ? random_documents(random) : random_text(random, 80)),
        options(random_options(random, documents)),
        index(build_verified_index(corpus, options, 1)),
        text(to_vector(index.tokens())),
        truth(text, corpus.vocabulary().boundary(), options) {
    for (const auto& node : truth.nodes)
      for (size_t k = static_cast<size_t>(node.parent_depth) + 1; k <= node.path.size(); ++k)
        rows.push_back(Path(node.path.begin(), node.path.begin() + static_cast<std::ptrdiff_t>(k)));
    std::ranges::sort(rows);
  }

  bool is_row(const Path& path) const { return std::ranges::binary_search(rows, path); }

  // A piece of the text, or of another text, perhaps spoiled.
  Path random_path(Random& random) const {
    const size_t begin = random.below(text.size());
    const size_t length =
        std::min(text.size() - begin, static_cast<size_t>(random.below(static_cast<uint64_t>(options.depth) + 3)));
    Path path(text.begin() + static_cast<std::ptrdiff_t>(begin),
              text.begin() + static_cast<std::ptrdiff_t>(begin + length));
    if (random.below(4) == 0 && !path.empty()) path[random.below(path.size())] = static_cast<Token>(random.below(260));
    return path;
  }

  Corpus corpus;
  IndexOptions options;
  TrieIndex index;
  std::vector<Token> text;
  BruteForceTrie truth;
  std::vector<Path> rows;  // sorted
};

PathBatch batch_of(const std::vector<Path>& paths) {
  PathBatch batch;
  for (const Path& path : paths) {
    batch.tokens.insert(batch.tokens.end(), path.begin(), path.end());
    batch.begin.push_back(batch.tokens.size());
  }
  return batch;
}

TEST_CASE("a path is located at the node whose edge holds the longest part that is a row") {
  Random random(1);
  for (int trial = 0; trial < 600; ++trial) {
    CAPTURE(trial);
    const Case c(random, trial % 3 == 0);
    for (int query = 0; query < 20; ++query) {
      const Path path = c.random_path(random);
      size_t depth = path.size();
      while (depth > 0 && !c.is_row(Path(path.begin(), path.begin() + static_cast<std::ptrdiff_t>(depth)))) --depth;
      const TrieIndex::Place place = c.index.locate(path);
      REQUIRE(place.depth == static_cast<int>(depth));
      if (depth == 0) {
        CHECK(place.node == -1);
        continue;
      }
      const Path node = c.truth.nodes[static_cast<size_t>(place.node)].path;
      CHECK(c.truth.nodes[static_cast<size_t>(place.node)].parent_depth < place.depth);
      REQUIRE(node.size() >= depth);
      CHECK(std::equal(path.begin(), path.begin() + static_cast<std::ptrdiff_t>(depth), node.begin()));
    }
  }
}

TEST_CASE("many paths are answered like one, and distributions are counts over their sum") {
  Random random(2);
  for (int trial = 0; trial < 200; ++trial) {
    CAPTURE(trial);
    const Case c(random, trial % 3 == 0);
    std::vector<Path> paths;
    for (int query = 0; query < 12; ++query) paths.push_back(c.random_path(random));
    const PathBatch batch = batch_of(paths);
    const std::vector<Index> counts = count_paths(c.index, batch), matches = match_paths(c.index, batch);
    const SparseCounts next = next_counts_of_paths(c.index, batch);
    const auto width = static_cast<size_t>(c.index.vocabulary_size());
    if (width > 1000) continue;  // dense rows are for small vocabularies
    std::vector<float> dense(paths.size() * width);
    next_distributions_of_paths(c.index, batch, dense);
    for (size_t i = 0; i < paths.size(); ++i) {
      CHECK(counts[i] == c.index.count(paths[i]));
      CHECK(matches[i] == c.index.longest_match(paths[i]));
      std::vector<TokenCount> row;
      double total = 0;
      for (Index k = next.row_begin[i]; k < next.row_begin[i + 1]; ++k) {
        row.push_back(
            {next.tokens[static_cast<size_t>(k)], static_cast<uint32_t>(next.counts[static_cast<size_t>(k)])});
        total += row.back().count;
      }
      CHECK(row == c.index.next_counts(paths[i]));
      std::vector<float> shares(width);
      for (const TokenCount& target : row) shares[target.token] = static_cast<float>(target.count / total);
      CHECK(std::equal(shares.begin(), shares.end(), dense.begin() + static_cast<std::ptrdiff_t>(i * width)));
    }
  }
}

TEST_CASE("children, parents and paths of nodes are those of the tree") {
  Random random(3);
  for (int trial = 0; trial < 300; ++trial) {
    CAPTURE(trial);
    const Case c(random, trial % 3 == 0);
    std::map<Index, std::vector<Index>> children;
    for (Index node = 0; node < c.index.n_nodes(); ++node) {
      const auto& truth = c.truth.nodes[static_cast<size_t>(node)];
      CHECK(path_of(c.index, node) == truth.path);
      Index parent = node - 1;  // the last node before it that its path goes through
      while (parent >= 0 && c.truth.nodes[static_cast<size_t>(parent)].end <= node) --parent;
      CHECK(parent_of(c.index, node) == parent);
      children[parent].push_back(node);
    }
    for (Index node = -1; node < c.index.n_nodes(); ++node) CHECK(children_of(c.index, node) == children[node]);
  }
}

TEST_CASE("occurrences are the starts that run through a path and are followed by something, in order") {
  Random random(4);
  for (int trial = 0; trial < 600; ++trial) {
    CAPTURE(trial);
    const Case c(random, trial % 3 == 0);
    std::vector<Index> starts = c.truth.starts(c.text, c.corpus.vocabulary().boundary());
    std::ranges::sort(starts);
    for (int query = 0; query < 20; ++query) {
      const Path path = c.random_path(random);
      std::vector<Index> expected;
      if (path.empty() || c.is_row(path))
        for (const Index start : starts) {
          const auto end = static_cast<size_t>(start) + path.size();
          if (end < c.text.size() && std::equal(path.begin(), path.end(), c.text.begin() + start))
            expected.push_back(start);
        }
      CHECK(find_occurrences(c.index, path) == expected);
      CHECK(static_cast<Index>(expected.size()) == c.index.count(path));
      const auto limit = static_cast<Index>(random.below(4));
      expected.resize(std::min(expected.size(), static_cast<size_t>(limit)));
      CHECK(find_occurrences(c.index, path, limit) == expected);
    }
  }
}

// The longest suffix of `text` that is a row.
Path longest_suffix(const Case& c, const Path& text) {
  for (size_t begin = 0; begin < text.size(); ++begin) {
    Path suffix(text.begin() + static_cast<std::ptrdiff_t>(begin), text.end());
    if (c.is_row(suffix)) return suffix;
  }
  return {};
}

TEST_CASE("each token of a continuation follows the longest suffix that is a row; exact ones stay on one path") {
  Random random(5);
  for (int trial = 0; trial < 200; ++trial) {
    CAPTURE(trial);
    const Case c(random, trial % 3 == 0);
    for (const bool exact : {false, true}) {
      Path text = c.random_path(random);
      const SampleOptions options{.n_tokens = 30, .seed = static_cast<uint64_t>(trial), .exact = exact};
      const std::vector<int32_t> tokens = sample_continuations(c.index, batch_of({text}), options);
      bool ended = false;
      for (const int32_t token : tokens) {
        const Path row = exact ? text : longest_suffix(c, text);
        const bool can_go_on = (row.empty() || c.is_row(row)) && !c.index.next_counts(row).empty();
        REQUIRE((token != kNoToken) == (can_go_on && !ended));
        ended |= token == kNoToken;
        if (ended) continue;
        const std::vector<TokenCount> next = c.index.next_counts(row);
        CHECK(std::ranges::any_of(next, [&](const TokenCount& t) { return t.token == static_cast<Token>(token); }));
        text.push_back(static_cast<Token>(token));
      }
    }
  }
}

TEST_CASE(
    "tokens are drawn as often as they are counted, and a continuation depends on seed, number and context alone") {
  const Corpus corpus = Corpus::from_text("aabaabacaad", VocabularyKind::characters);
  const TrieIndex index = build_verified_index(corpus, {.depth = 3}, 1);
  const Path context = corpus.vocabulary().encode("a");
  const std::vector<TokenCount> next = index.next_counts(context);
  constexpr size_t n = 20000;
  const PathBatch contexts = batch_of(std::vector<Path>(n, context));
  const std::vector<int32_t> drawn = sample_continuations(index, contexts, {.n_tokens = 1, .seed = 7});
  for (const TokenCount& target : next) {
    const double p = target.count / static_cast<double>(index.count(context));
    const auto hits = static_cast<double>(std::ranges::count(drawn, static_cast<int32_t>(target.token)));
    CHECK(std::abs(hits - n * p) < 5 * std::sqrt(n * p * (1 - p)));
  }
  std::vector<Path> other(n, corpus.vocabulary().encode("b"));
  other[9] = context;
  CHECK(sample_continuations(index, batch_of(other), {.n_tokens = 1, .seed = 7})[9] == drawn[9]);
  CHECK(sample_continuations(index, contexts, {.n_tokens = 1, .seed = 8}) != drawn);
  CHECK_THROWS_AS(sample_continuations(index, contexts, {.n_tokens = -1}), ArgumentError);
}

}  // namespace
}  // namespace agpt
