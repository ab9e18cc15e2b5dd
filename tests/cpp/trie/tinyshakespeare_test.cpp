// Published figures of tinyshakespeare that need a walk over the index. The text is looked for in the folder
// AGPT_TEST_DATA, or in ../shared/data beside the repository; without it this program says so and counts as skipped.
#define DOCTEST_CONFIG_IMPLEMENT  // and a main() of its own, in place of the one in agpt_doctest
#include <doctest/doctest.h>

#include <algorithm>
#include <filesystem>
#include <iostream>

#include "cpp/trie/index_builder.h"
#include "cpp/trie/trie_verify.h"
#include "cpp/trie/trie_walk.h"
#include "tests/cpp/tinyshakespeare.h"

namespace agpt {
namespace {

struct Figures {
  int depth;
  Index single_edge_tokens;  // on edges whose first row has mass 1
  Index heavy_nodes;         // whose edge's first row has a larger one
  Index heavy_leaves, single_leaves;
  double mean_single_leaf_edge;
  int median_single_leaf_edge;
  double leaves_with_a_space;  // percent
  Index ancestor_tokens;       // sum of the parent depths
  Index interior_and_root;
};

Figures measure(const Corpus& corpus, int depth) {
  const TrieIndex index = build_trie_index(corpus, {.depth = depth, .corpus_end = CorpusEnd::reference});
  const Token space = corpus.vocabulary().encode(" ")[0];
  Figures figures{};
  figures.depth = depth;
  figures.interior_and_root = 1;
  std::vector<int> edges;
  Index n_leaves = 0, with_space = 0;
  TrieWalk walk(index, 0);
  for (TrieEdge edge; walk.next(edge);) {
    const int length = edge.depth - edge.parent_depth;
    const bool single = walk.row_mass(edge.parent_depth + 1) == 1;
    figures.ancestor_tokens += edge.parent_depth;
    figures.single_edge_tokens += single ? length : 0;
    figures.heavy_nodes += !single;
    if (!index.is_leaf(edge.node)) {
      ++figures.interior_and_root;
      continue;
    }
    ++n_leaves;
    figures.heavy_leaves += !single;
    figures.single_leaves += single;
    if (single) edges.push_back(length);
    bool has_space = false;
    for (int k = edge.parent_depth; k < edge.depth; ++k) has_space |= index.token(edge.text + k) == space;
    with_space += has_space;
  }
  double sum = 0;
  for (const int length : edges) sum += length;
  std::nth_element(edges.begin(), edges.begin() + static_cast<std::ptrdiff_t>(edges.size() / 2), edges.end());
  figures.median_single_leaf_edge = edges[edges.size() / 2];
  figures.mean_single_leaf_edge = sum / static_cast<double>(edges.size());
  figures.leaves_with_a_space = 100.0 * static_cast<double>(with_space) / static_cast<double>(n_leaves);
  return figures;
}

TEST_CASE("mass and edge figures of tinyshakespeare are those published") {
  const Corpus corpus = Corpus::from_file(text_path().string(), VocabularyKind::characters, false);
  const Figures published[] = {
      {8, 1009418, 381589, 145709, 463950, 2.18, 2, 18.1, 4696687, 235881},
      {16, 8275793, 545549, 18683, 1062378, 7.79, 8, 72.7, 12276596, 526867},
      {32, 25933966, 552869, 985, 1113345, 23.29, 24, 98.70, 13382283, 551885},
  };
  for (const Figures& expected : published) {
    CAPTURE(expected.depth);
    const Figures measured = measure(corpus, expected.depth);
    CHECK(measured.single_edge_tokens == expected.single_edge_tokens);
    CHECK(measured.heavy_nodes == expected.heavy_nodes);
    CHECK(measured.heavy_leaves == expected.heavy_leaves);
    CHECK(measured.single_leaves == expected.single_leaves);
    CHECK(measured.mean_single_leaf_edge == doctest::Approx(expected.mean_single_leaf_edge).epsilon(0.003));
    CHECK(measured.median_single_leaf_edge == expected.median_single_leaf_edge);
    CHECK(measured.leaves_with_a_space == doctest::Approx(expected.leaves_with_a_space).epsilon(0.003));
    CHECK(measured.ancestor_tokens == expected.ancestor_tokens);
    CHECK(measured.interior_and_root == expected.interior_and_root);
  }
}

TEST_CASE("the edges of tinyshakespeare that run into its end are as many and as long as published") {
  const Corpus corpus = Corpus::from_file(text_path().string(), VocabularyKind::characters, false);
  struct Dropped {
    int depth;
    size_t edges;
    Index tokens, distinct_windows;  // of 1 .. depth tokens
  };
  for (const Dropped& expected : {Dropped{8, 1, 1, 1545082}, {16, 9, 45, 9313941}, {32, 25, 316, 27046552}}) {
    CAPTURE(expected.depth);
    const TrieIndex index = build_trie_index(corpus, {.depth = expected.depth, .corpus_end = CorpusEnd::reference});
    CHECK(index.columns().childless_node.size() == expected.edges);
    CHECK(index.n_positions() + expected.tokens == expected.distinct_windows);
    CHECK(verify_trie_index(index) == std::vector<std::string>{});
    CHECK(verify_by_rebuilding(index) == std::vector<std::string>{});
  }
}

}  // namespace
}  // namespace agpt

int main(int argc, char** argv) {
  constexpr int kSkipped = 77;
  if (!std::filesystem::exists(agpt::text_path())) {
    std::cout << "skipped: there is no " << agpt::text_path()
              << "; set AGPT_TEST_DATA to a folder that has tinyshakespeare.txt\n";
    return kSkipped;
  }
  return doctest::Context(argc, argv).run();
}
