#include "cpp/train/reference_chunks.h"

#include <doctest/doctest.h>

#include <cmath>
#include <map>
#include <set>
#include <tuple>

#include "cpp/base/error.h"
#include "cpp/base/random.h"
#include "tests/cpp/tinyshakespeare.h"
#include "tests/cpp/trie/verified_index.h"

namespace agpt {
namespace {

Index edge_length(const TrieIndex& index, Index node) { return index.depth(node) - index.parent_depth(node); }

uint32_t edge_mass(const TrieIndex& index, Index node) { return index.row_mass(node, index.parent_depth(node) + 1); }

TrieIndex random_index(int depth) {
  Random random(3);
  std::vector<uint32_t> ids;
  for (int i = 0; i < 600; ++i) ids.push_back(static_cast<uint32_t>(random.below(i % 3 == 0 ? 2 : 6)));
  return build_verified_index(Corpus::from_tokens<uint32_t>(ids, 6), {.depth = depth}, 1);
}

Index edges_above(const TrieIndex& index, Index node) {
  Index n = 0;
  for (Index other = 0; other < node; ++other) n += index.subtree_end(other) > node;
  return n;
}

// The nodes by first token, depth and edges above them, as many to a chunk as fit.
std::vector<std::set<Index>> chunks_one_by_one(const TrieIndex& index, Index chunk_positions) {
  std::map<std::tuple<Token, int, Index, Index>, Index> in_order;
  for (Index node = 0; node < index.n_nodes(); ++node)
    in_order[{index.token(index.text(node)), index.depth(node), edges_above(index, node), node}] = node;
  std::vector<std::set<Index>> chunks;
  Token group = 0;
  Index room = 0;
  for (const auto& [key, node] : in_order) {
    if (chunks.empty() || std::get<0>(key) != group || edge_length(index, node) > room) {
      chunks.emplace_back();
      room = chunk_positions;
    }
    group = std::get<0>(key);
    room -= edge_length(index, node);
    chunks.back().insert(node);
  }
  return chunks;
}

TEST_CASE("chunks are what taking the nodes one by one makes, and batches are parts of chunks") {
  const TrieIndex index = random_index(7);
  for (const Index chunk_positions : {7, 20, 100, 100000}) {
    CAPTURE(chunk_positions);
    const ReferenceChunks chunks(index, chunk_positions, 16);
    const std::vector<std::set<Index>> expected = chunks_one_by_one(index, chunk_positions);
    REQUIRE(chunks.n_chunks() == static_cast<Index>(expected.size()));
    CHECK(chunks.n_groups() == 6);
    CHECK(chunks.first_chunk(chunks.n_groups()) == chunks.n_chunks());
    CHECK(chunks.first_batch(chunks.n_chunks()) == chunks.n_batches());
    for (Index chunk = 0; chunk < chunks.n_chunks(); ++chunk) {
      std::set<Index> nodes;
      for (Index batch = chunks.first_batch(chunk); batch < chunks.first_batch(chunk + 1); ++batch)
        nodes.insert(chunks.nodes(batch).begin(), chunks.nodes(batch).end());
      CHECK(nodes == expected[static_cast<size_t>(chunk)]);
    }
  }
}

TEST_CASE("the nodes of a batch have endpoints of one depth, in pre-order, and no more rows than asked for") {
  const TrieIndex index = random_index(6);
  const ReferenceChunks chunks(index, 50, 16);
  for (Index batch = 0; batch < chunks.n_batches(); ++batch) {
    const std::span<const Index> nodes = chunks.nodes(batch);
    Index rows = 0;
    for (size_t i = 0; i < nodes.size(); ++i) {
      rows += edge_length(index, nodes[i]);
      CHECK(index.depth(nodes[i]) == index.depth(nodes[0]));
      if (i > 0) CHECK(nodes[i] > nodes[i - 1]);
    }
    CHECK(rows >= 1);
    CHECK(rows <= 16);
  }
}

TEST_CASE("masses are relative to the mean over the rows of their chunk") {
  const TrieIndex index = random_index(7);
  const ReferenceChunks chunks(index, 40, 16);
  for (const MassWeight mass : {MassWeight::linear, MassWeight::sqrt, MassWeight::log, MassWeight::off}) {
    const Weighting weighting{mass, 0, 1};
    const std::vector<double> factor = relative_masses(index, chunks, weighting);
    for (Index chunk = 0; chunk < chunks.n_chunks(); ++chunk) {
      const std::span<const Index> nodes = chunks.chunk_nodes(chunk);
      const double unit = factor[static_cast<size_t>(nodes[0])] / weighting.of_mass(edge_mass(index, nodes[0]));
      double sum = 0, rows = 0;
      for (const Index node : nodes) {
        const double relative = factor[static_cast<size_t>(node)];
        CHECK(relative == doctest::Approx(unit * weighting.of_mass(edge_mass(index, node))));
        sum += relative * static_cast<double>(edge_length(index, node));
        rows += static_cast<double>(edge_length(index, node));
      }
      CHECK(sum == doctest::Approx(rows));
    }
  }
}

TEST_CASE("a chunk that could not hold the longest edge is refused") {
  CHECK_THROWS_WITH_AS(ReferenceChunks(random_index(7), 6, 16),
                       "chunks of 6 positions cannot hold an edge: choose at least 7, the depth of the index",
                       ArgumentError);
}

struct Published {
  int depth;
  Index n_chunks;
  double share_of_weight, share_of_corpus;  // of rows with mass above 1, percent
};

TEST_CASE("on tinyshakespeare chunks and the weight they leave to shared rows are those published" *
          doctest::skip(!std::filesystem::exists(text_path()))) {
  const Corpus corpus = Corpus::from_file(text_path().string(), VocabularyKind::characters, false);
  for (const Published& published : {Published{16, 225, 23.7, 53.6}, Published{32, 576, 7.6, 27.3}}) {
    CAPTURE(published.depth);
    const TrieIndex index =
        build_verified_index(corpus, {.depth = published.depth, .corpus_end = CorpusEnd::reference});
    const ReferenceChunks chunks(index, 50000, 256);
    CHECK(chunks.n_chunks() == published.n_chunks);
    const std::vector<double> factor = relative_masses(index, chunks, {MassWeight::linear, 0, 1});
    double shared = 0, all = 0, shared_mass = 0, mass = 0;
    for (Index chunk = 0; chunk < chunks.n_chunks(); ++chunk) {
      double rows = 0, shared_rows = 0;
      for (const Index node : chunks.chunk_nodes(chunk)) {
        const auto length = static_cast<double>(edge_length(index, node));
        const double weight = length * factor[static_cast<size_t>(node)];
        const bool is_shared = edge_mass(index, node) > 1;
        rows += length;
        shared_rows += is_shared ? weight : 0;
        mass += length * edge_mass(index, node);
        shared_mass += is_shared ? length * edge_mass(index, node) : 0;
      }
      shared += shared_rows / rows;
      all += 1;
    }
    CHECK(std::abs(100 * shared / all - published.share_of_weight) < 0.05);
    CHECK(std::abs(100 * shared_mass / mass - published.share_of_corpus) < 0.05);
  }
}

}  // namespace
}  // namespace agpt
