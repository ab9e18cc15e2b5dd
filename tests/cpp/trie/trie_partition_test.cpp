// Partitions of random indexes against the definition: what the units cover, where they may be cut, what is counted.
#include "cpp/trie/trie_partition.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <numeric>

#include "cpp/base/error.h"
#include "cpp/trie/trie_walk.h"
#include "tests/cpp/trie/random_corpora.h"
#include "tests/cpp/trie/verified_index.h"

namespace agpt {
namespace {

using Path = std::vector<Token>;

struct Row {
  Path path;
  uint32_t mass;
  bool is_endpoint;
};

// First rows of the units, and the end.
std::vector<Index> partition_rows(const TrieIndex& index, const PartitionRule& rule) {
  std::vector<Index> rows;
  for (const Index node : partition_nodes(index, rule)) rows.push_back(index.first_row(node));
  return rows;
}

std::vector<Row> rows_of(const TrieIndex& index) {
  std::vector<Row> rows;
  TrieWalk walk(index, 0);
  for (TrieEdge edge; walk.next(edge);)
    for (int depth = edge.parent_depth + 1; depth <= edge.depth; ++depth) {
      Row row{{}, walk.row_mass(depth), depth == edge.depth};
      for (int k = 0; k < depth; ++k) row.path.push_back(index.token(edge.text + k));
      rows.push_back(row);
    }
  return rows;
}

Path gram(const Row& row, int n) {
  return static_cast<int>(row.path.size()) < n ? Path() : Path(row.path.begin(), row.path.begin() + n);
}

TrieIndex random_index(Random& random) {
  const bool documents = random.below(3) == 0;
  const Corpus corpus = documents ? random_documents(random) : random_text(random, 80);
  return build_verified_index(corpus, random_options(random, documents), 1);
}

void check_cover(const std::vector<Index>& begins, size_t n_rows) {
  REQUIRE(begins.front() == 0);
  REQUIRE(begins.back() == static_cast<Index>(n_rows));
  CHECK(std::ranges::adjacent_find(begins, std::greater_equal<>()) == begins.end());
}

TEST_CASE("the units of n-grams cover every row once, and no n-gram is in two or shares its unit with another") {
  Random random(1);
  for (int trial = 0; trial < 400; ++trial) {
    CAPTURE(trial);
    const TrieIndex index = random_index(random);
    const std::vector<Row> rows = rows_of(index);
    for (int n = 1; n <= 4; ++n) {
      const std::vector<Index> begins = partition_rows(index, {.ngram = n});
      check_cover(begins, rows.size());
      std::vector<Path> grams;  // of the units, in order
      for (size_t unit = 0; unit + 1 < begins.size(); ++unit) {
        std::vector<Path> here;
        for (Index row = begins[unit]; row < begins[unit + 1]; ++row)
          if (Path path = gram(rows[static_cast<size_t>(row)], n); !path.empty()) here.push_back(std::move(path));
        CHECK((here.empty() || here.front() == here.back()));  // pre-order: all between them are equal too
        CHECK((!here.empty() || begins.size() == 2));
        if (!here.empty()) grams.push_back(here.front());
      }
      CHECK(std::ranges::adjacent_find(grams) == grams.end());
    }
  }
}

TEST_CASE("balanced units cover every row once, keep to the size, and are not cut where two would have been one") {
  Random random(2);
  for (int trial = 0; trial < 400; ++trial) {
    CAPTURE(trial);
    const TrieIndex index = random_index(random);
    const auto largest = index.depth() + static_cast<Index>(random.below(30));
    const int n = 1 + static_cast<int>(random.below(3));
    const std::vector<Index> grams = partition_rows(index, {.ngram = n});
    const std::vector<Index> begins = partition_rows(index, {.ngram = n, .largest = largest});
    check_cover(begins, static_cast<size_t>(index.n_positions()));
    CHECK(std::ranges::includes(begins, grams));
    for (size_t unit = 0; unit + 1 < begins.size(); ++unit) CHECK(begins[unit + 1] - begins[unit] <= largest);
    for (size_t i = 0; i + 1 < grams.size(); ++i)
      if (grams[i + 1] - grams[i] <= largest)
        CHECK(std::ranges::find(begins, grams[i]) + 1 == std::ranges::find(begins, grams[i + 1]));
  }
}

TEST_CASE("positions, nodes, masses and ancestors of units are those of their rows") {
  Random random(3);
  for (int trial = 0; trial < 400; ++trial) {
    CAPTURE(trial);
    const TrieIndex index = random_index(random);
    const std::vector<Row> rows = rows_of(index);
    const PartitionRule rule{
        .ngram = 1 + static_cast<int>(random.below(3)),
        .largest = random.below(2) == 0 ? 0 : index.depth() + static_cast<Index>(random.below(20))};
    const std::vector<Index> begins = partition_rows(index, rule);
    const PartitionFigures figures = measure_partition(index, partition_nodes(index, rule));
    for (size_t unit = 0; unit + 1 < begins.size(); ++unit) {
      Index nodes = 0, mass = 0;
      for (Index row = begins[unit]; row < begins[unit + 1]; ++row) {
        nodes += rows[static_cast<size_t>(row)].is_endpoint;
        mass += rows[static_cast<size_t>(row)].mass;
      }
      CHECK(figures.positions[unit] == begins[unit + 1] - begins[unit]);
      CHECK(figures.nodes[unit] == nodes);
      CHECK(figures.mass[unit] == mass);
      CHECK(figures.ancestors[unit] == static_cast<Index>(rows[static_cast<size_t>(begins[unit])].path.size()) - 1);
    }
  }
}

TEST_CASE("balanced units of a large trie are at least half full on average") {
  Random random(4);
  std::vector<Token> tokens(20000);
  for (Token& token : tokens) token = static_cast<Token>(random.below(3));
  const TrieIndex index = build_verified_index(Corpus::from_tokens<Token>(tokens, {}), {.depth = 20}, 1);
  const std::vector<Index> begins = partition_rows(index, {.largest = 1000});
  CHECK(static_cast<Index>(begins.size()) - 1 <= index.n_positions() / 500);
}

TEST_CASE("a size that one path exceeds is refused") {
  const TrieIndex index =
      build_verified_index(Corpus::from_text("abracadabra", VocabularyKind::characters), {.depth = 5}, 1);
  CHECK_THROWS_WITH_AS(partition_nodes(index, {.largest = 4}), doctest::Contains("at least the depth of the index, 5"),
                       ArgumentError);
  CHECK_NOTHROW(partition_nodes(index, {.largest = 5}));
  CHECK_THROWS_AS(partition_nodes(index, {.ngram = 0}), ArgumentError);
}

TEST_CASE("partitions are read as they are written") {
  CHECK(PartitionRule::parse("unigram").ngram == 1);
  CHECK(PartitionRule::parse("bigram").ngram == 2);
  CHECK(PartitionRule::parse("ngram=5").ngram == 5);
  CHECK(PartitionRule::parse("balanced=900").largest == 900);
  for (const char* text : {"", "trigram", "ngram", "ngram=", "ngram=0", "ngram=254", "balanced=0", "balanced=-3",
                           "balanced=9x", "unigram=1"})
    CHECK_THROWS_WITH_AS(PartitionRule::parse(text), doctest::Contains("is no partition"), ArgumentError);
}

}  // namespace
}  // namespace agpt
