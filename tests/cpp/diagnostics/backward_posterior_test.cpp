// The backward posterior against a dictionary of all paths, on random corpora with every kind of start.
#include "cpp/diagnostics/backward_posterior.h"

#include <doctest/doctest.h>

#include <cmath>
#include <map>

#include "cpp/base/error.h"
#include "cpp/base/random.h"
#include "tests/cpp/trie/brute_force_trie.h"
#include "tests/cpp/trie/verified_index.h"

namespace agpt {
namespace {

using Path = BruteForceTrie::Path;

Path random_text(Random& random) {
  Path text(2 + random.below(60));
  const uint64_t alphabet = 1 + random.below(4);
  for (Token& token : text) token = static_cast<Token>(random.below(alphabet));
  return text;
}

// For each context how often each token precedes it, from the nodes of the brute force: pruned paths are no paths.
std::map<Path, std::map<Token, uint32_t>> preceding(const BruteForceTrie& trie, int length) {
  std::map<Path, std::map<Token, uint32_t>> counts;
  for (const BruteForceTrie::Node& node : trie.nodes) {
    if (node.parent_depth >= length || static_cast<int>(node.path.size()) < length) continue;
    const Path path(node.path.begin(), node.path.begin() + length);
    counts[Path(path.begin() + 1, path.end())][path[0]] += trie.mass_of(path);
  }
  return counts;
}

Corpus running_text(const Path& text) { return Corpus::from_tokens(std::span<const Token>(text), std::nullopt); }

void check_against_brute_force(const Corpus& corpus, const IndexOptions& options) {
  Path text;
  for (Index i = 0; i < corpus.n_tokens(); ++i) text.push_back(corpus.tokens()[i]);
  const BruteForceTrie brute_force(text, corpus.vocabulary().boundary(), options);
  const TrieIndex index = build_verified_index(corpus, options);
  for (int length = 1; length <= options.depth; ++length) {
    CAPTURE(length);
    const BackwardPosterior posterior = backward_posterior(index, length);
    const auto expected = preceding(brute_force, length);
    REQUIRE(posterior.start.size() == expected.size());
    size_t i = 0;
    Index n_paths = 0;
    for (const auto& [context, counts] : expected) {  // a map is in lexicographic order
      double mass = 0, entropy = 0;
      for (const auto& [token, count] : counts) mass += count;
      for (const auto& [token, count] : counts) entropy -= count / mass * std::log(count / mass);
      Path found;
      for (int k = 0; k + 1 < length; ++k) found.push_back(index.token(posterior.start[i] + k));
      CHECK(found == context);
      CHECK(posterior.mass[i] == mass);
      CHECK(posterior.support[i] == counts.size());
      CHECK(posterior.entropy[i] == doctest::Approx(entropy).epsilon(1e-12));
      n_paths += static_cast<Index>(counts.size());
      ++i;
    }
    CHECK(posterior.n_paths == n_paths);
  }
}

TEST_CASE("mass, support and entropy of every context are those of a dictionary of all paths") {
  Random random(7);
  for (int round = 0; round < 200; ++round) {
    IndexOptions options{.depth = 1 + static_cast<int>(random.below(7))};
    if (round % 4 == 1) options.starts = {.rule = Starts::Rule::stride, .stride = 2};
    if (round % 4 == 2) options.corpus_end = CorpusEnd::reference;
    if (round % 4 == 3) options.prune_min_mass = 2, options.prune_min_depth = 2;
    CAPTURE(round);
    check_against_brute_force(running_text(random_text(random)), options);
  }
}

TEST_CASE("paths of documents begin and end with them") {
  Random random(8);
  for (int round = 0; round < 50; ++round) {
    std::vector<Path> documents(1 + random.below(6));
    for (Path& document : documents) document = random_text(random);
    const Corpus corpus = Corpus::from_token_documents(documents, 4);
    const auto rule = round % 2 == 0 ? Starts::Rule::documents : Starts::Rule::every;
    CAPTURE(round);
    check_against_brute_force(corpus, {.depth = 1 + static_cast<int>(random.below(7)), .starts = {.rule = rule}});
  }
}

TEST_CASE("a token that always has the same one before it has no entropy at all") {
  const Path text = {0, 1, 0, 1, 0, 1, 0};
  const TrieIndex index = build_verified_index(running_text(text), {.depth = 2});
  const BackwardPosterior posterior = backward_posterior(index, 2);
  CHECK(posterior.support == std::vector<uint32_t>{1, 1});
  CHECK(posterior.entropy == std::vector<double>{0, 0});
}

TEST_CASE("a length outside the index is refused") {
  const Path text = {0, 1, 0};
  const TrieIndex index = build_verified_index(running_text(text), {.depth = 2});
  CHECK_THROWS_AS(backward_posterior(index, 0), ArgumentError);
  CHECK_THROWS_AS(backward_posterior(index, 3), ArgumentError);
}

}  // namespace
}  // namespace agpt
