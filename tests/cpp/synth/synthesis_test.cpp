// Synthetic texts against the walks written out literally, and against the frequencies of the corpus.
#include "cpp/synth/synthesis.h"

#include <doctest/doctest.h>

#include <cmath>
#include <map>

#include "cpp/base/error.h"
#include "cpp/base/random.h"
#include "cpp/synth/reference_leaves.h"
#include "tests/cpp/synth/reference_walk.h"
#include "tests/cpp/trie/verified_index.h"

namespace agpt {
namespace {

std::vector<Token> to_vector(TokenView tokens) {
  std::vector<Token> copy;
  for (Index i = 0; i < tokens.size(); ++i) copy.push_back(tokens[i]);
  return copy;
}

// Letters in order of their ids: a newline is the first, a space the second.
std::string random_text(Random& random, Index n_letters, Index n) {
  std::string text;
  for (Index i = 0; i < n; ++i) text += "\n abcdef"[random.below(static_cast<uint64_t>(n_letters))];
  return text;
}

Corpus corpus_of(const std::string& text) { return Corpus::from_text(text, VocabularyKind::characters); }

TEST_CASE("the first draws of the reference's generator are those published") {
  ReferenceRandom of_42(42), of_44(44), of_0(0), of_1(1);
  for (const uint32_t draw : {2505132714u, 4160881343u, 3520153978u, 1608512872u}) CHECK(of_42.next_bits() == draw);
  for (const uint32_t draw : {375229228u, 3489823546u, 2932076876u, 3424101806u}) CHECK(of_44.next_bits() == draw);
  CHECK(of_0.next_bits() == of_1.next_bits());
}

SynthesisOptions random_reference_options(Random& random) {
  SynthesisOptions options;
  options.n_tokens = static_cast<Index>(random.below(200));
  options.seed = random.below(5);
  options.rng = SynthesisRng::reference;
  options.space_align = random.below(3) == 0;
  options.space_align_topk = 1 + static_cast<Index>(random.below(3));
  options.space_cut = random.below(3) == 0;
  options.prune_mass1_space = random.below(3) == 0;
  options.prune_mass1_head = random.below(3) == 0;
  return options;
}

TEST_CASE("texts of the reference are those of its walk from edge to edge") {
  Random random(1);
  for (int round = 0; round < 2000; ++round) {
    IndexOptions trie{.depth = 1 + static_cast<int>(random.below(6)), .corpus_end = CorpusEnd::reference};
    if (random.below(3) == 0) trie.prune_min_mass = 2;
    if (random.below(3) == 0) trie.prune_min_depth = 2;
    if (random.below(4) == 0) trie.starts = {Starts::Rule::stride, 3};
    const Index n = 20 + static_cast<Index>(random.below(60));
    const Corpus corpus = corpus_of("\n  a" + random_text(random, 2 + static_cast<Index>(random.below(6)), n));
    const TrieIndex index = build_verified_index(corpus, trie);
    if (index.n_nodes() == 0) continue;
    const BruteForceTrie dictionary(to_vector(corpus.tokens()), std::nullopt, trie);
    const SynthesisOptions options = random_reference_options(random);
    ReferenceWalk walk(dictionary, options, 1, 0);
    walk.run();
    const Synthesis result = synthesize(index, options);
    REQUIRE(to_vector(result.tokens.view()) == walk.text);
    REQUIRE(result.wraps == walk.wraps);
    REQUIRE(result.cut_wraps == walk.cut_wraps);
  }
}

// |observed - expected| of a binomial count stays within five standard deviations.
void check_frequency(double observed, double n, double probability) {
  CHECK(std::abs(observed - n * probability) <= 5 * std::sqrt(n * probability) + 1);
}

// A walk that comes to the end of the corpus, a z that occurs nowhere else, is shorter, and the next begins anywhere.
TEST_CASE("walks that wrap are pieces of the text, every start as likely as any other that begins with the seed") {
  Random random(2);
  const int depth = 3;
  const Corpus corpus = corpus_of(random_text(random, 5, 300) + "z");
  const std::vector<Token> tokens = to_vector(corpus.tokens());
  const TrieIndex index = build_verified_index(corpus, {.depth = depth});
  const Synthesis result = synthesize(index, {.n_tokens = 200'000});
  const std::vector<Token> text = to_vector(result.tokens.view());
  std::map<std::vector<Token>, double> observed, in_corpus;
  std::map<Token, double> n_walks, n_starts;
  Index n_ends = 0;
  for (auto at = text.begin(); text.end() - at > depth;) {
    ++n_walks[*at];
    const auto end = std::find(at, at + depth + 1, tokens.back());
    if (end <= at + depth) {
      ++n_ends;
      at = end + 1;
    } else {
      ++observed[{at, end}];
      at += depth;
    }
  }
  for (auto at = tokens.begin(); at < tokens.end() - 1; ++at) {
    ++n_starts[*at];
    if (at + depth + 1 < tokens.end()) ++in_corpus[{at, at + depth + 1}];
  }
  for (const auto& [window, count] : observed) CHECK(in_corpus.contains(window));
  for (const auto& [window, count] : in_corpus)
    check_frequency(observed[window], n_walks[window[0]], count / n_starts[window[0]]);
  CHECK(n_ends > 500);
  CHECK(std::abs(result.restarts - n_ends) <= 1);
}

// The tokens that may come next are counted in the corpus, behind every occurrence of the context.
TEST_CASE("each token of a suffix walk follows the longest suffix that the corpus has, as often as it does there") {
  Random random(3);
  for (const int depth : {1, 2, 4}) {
    const Corpus corpus = corpus_of(random_text(random, 4, 120));
    const TrieIndex index = build_verified_index(corpus, {.depth = depth});
    const BruteForceTrie dictionary(to_vector(corpus.tokens()), std::nullopt, {.depth = depth});
    const Synthesis result = synthesize(index, {.n_tokens = 100'000, .walk = SynthesisWalk::suffix});
    const std::vector<Token> text = to_vector(result.tokens.view());
    std::map<std::vector<Token>, std::map<Token, double>> observed;
    std::vector<Token> context;
    Index backoffs = 0, restarts = 0, backoffs_before = 0, restarts_before = 0;
    for (const Token token : text) {
      backoffs_before = backoffs;
      restarts_before = restarts;
      if (!context.empty()) ++observed[context][token];
      context.push_back(token);
      if (std::ssize(context) > depth) context.erase(context.begin());
      for (; !context.empty() && dictionary.mass_of(context) == 0; ++backoffs) context.erase(context.begin());
      restarts += context.empty();
    }
    for (const auto& [path, followers] : observed) {
      double n = 0;
      for (const auto& [token, count] : followers) n += count;
      const auto& expected = dictionary.followers.at(path);
      for (const auto& [token, count] : followers) CHECK(expected.contains(token));
      for (const auto& [token, count] : expected)
        check_frequency(followers.contains(token) ? followers.at(token) : 0, n,
                        static_cast<double>(count) / dictionary.mass_of(path));
    }
    CHECK((result.backoffs == backoffs || result.backoffs == backoffs_before));  // the last may not be needed
    CHECK((result.restarts == restarts || result.restarts == restarts_before));
  }
}

TEST_CASE("a suffix walk on any trie writes what may follow its context, and counts what it gives up") {
  Random random(4);
  for (int round = 0; round < 300; ++round) {
    IndexOptions trie{.depth = 1 + static_cast<int>(random.below(6))};
    if (random.below(3) == 0) trie.prune_min_mass = 2;
    if (random.below(3) == 0) trie.prune_min_depth = 2;
    if (random.below(3) == 0) trie.starts = {Starts::Rule::stride, 2};
    const Corpus corpus = corpus_of(random_text(random, 2 + static_cast<Index>(random.below(4)), 60));
    const TrieIndex index = build_verified_index(corpus, trie);
    const Synthesis result =
        synthesize(index, {.n_tokens = 300, .seed = static_cast<uint64_t>(round), .walk = SynthesisWalk::suffix});
    std::vector<Token> context;
    Index backoffs = 0, backoffs_before = 0;
    for (const Token token : to_vector(result.tokens.view())) {
      backoffs_before = backoffs;
      const std::vector<TokenCount> followers = index.next_counts(context);
      REQUIRE(std::any_of(followers.begin(), followers.end(), [&](const TokenCount& f) { return f.token == token; }));
      context.push_back(token);
      if (std::ssize(context) > trie.depth) context.erase(context.begin());
      for (; !context.empty() && index.count(context) == 0; ++backoffs) context.erase(context.begin());
    }
    REQUIRE((result.backoffs == backoffs || result.backoffs == backoffs_before));
  }
}

TEST_CASE("documents come one after another, each beginning at a boundary, made of pieces of documents") {
  const std::vector<std::string_view> names = {"anna", "ann", "hanna", "bob", "bobby", "abba"};
  const Corpus corpus = Corpus::from_documents(names, VocabularyKind::characters);
  const Token boundary = *corpus.vocabulary().boundary();
  const TrieIndex index = build_verified_index(corpus, {.depth = 3});
  for (const SynthesisWalk walk : {SynthesisWalk::bridge, SynthesisWalk::suffix}) {
    const Synthesis result = synthesize(index, {.n_tokens = 5000, .walk = walk});
    CHECK(result.restarts == 0);
    Token before = boundary;
    std::map<std::string, int> written;
    std::string name;
    for (const Token token : to_vector(result.tokens.view())) {
      CHECK(index.next_counts(std::vector{before}).size() > 0);
      if (token != boundary) name += corpus.vocabulary().decode(std::vector{token});
      if (token == boundary) ++written[std::exchange(name, "")];
      before = token;
    }
    CHECK(!written.contains(""));
    for (const std::string_view known : names) CHECK(written.contains(std::string(known)));
    CHECK(written.size() > names.size());
  }
}

TEST_CASE("a text is the same for the same seed, another for another, and a longer one begins with a shorter one") {
  Random random(5);
  const TrieIndex index = build_verified_index(corpus_of(random_text(random, 6, 500)), {.depth = 4});
  for (const SynthesisWalk walk : {SynthesisWalk::bridge, SynthesisWalk::suffix}) {
    const auto write = [&](Index n, uint64_t seed) {
      return to_vector(synthesize(index, {.n_tokens = n, .seed = seed, .walk = walk}).tokens.view());
    };
    const std::vector<Token> text = write(1000, 7);
    CHECK(text == write(1000, 7));
    CHECK(text != write(1000, 8));
    const std::vector<Token> longer = write(1500, 7);
    CHECK(std::equal(text.begin(), text.end(), longer.begin()));
    CHECK(write(0, 7).empty());
  }
}

TEST_CASE("wide tokens are written as wide as they are") {
  std::vector<uint32_t> tokens;
  for (uint32_t i = 0; i < 400; ++i) tokens.push_back(70'000 + i * i % 97);
  const Corpus corpus = Corpus::from_tokens(std::span<const uint32_t>(tokens), std::nullopt);
  const TrieIndex index = build_verified_index(corpus, {.depth = 4});
  for (const SynthesisWalk walk : {SynthesisWalk::bridge, SynthesisWalk::suffix})
    for (const Token token : to_vector(synthesize(index, {.n_tokens = 2000, .walk = walk}).tokens.view()))
      CHECK(std::find(tokens.begin(), tokens.end(), token) != tokens.end());
}

TEST_CASE("an index or options that do not go together are refused") {
  const Corpus text = corpus_of("abracadabra"), ids = Corpus::from_tokens(std::span<const uint32_t>({1, 2, 1}), {});
  const TrieIndex index = build_verified_index(text, {.depth = 4});
  const auto refused = [](const TrieIndex& trie, const SynthesisOptions& options) {
    CHECK_THROWS_AS(synthesize(trie, options), ArgumentError);
  };
  refused(index, {.n_tokens = -1});
  refused(index, {.rng = SynthesisRng::reference});  // its end is exact
  refused(index, {.walk = SynthesisWalk::suffix, .rng = SynthesisRng::reference});
  refused(index, {.walk = SynthesisWalk::suffix, .space_cut = true});
  refused(index, {.space_align = true});  // no space
  refused(index, {.space_align_topk = 0});
  refused(index, {.prune_mass1_space = true});
  refused(build_verified_index(ids, {.depth = 2}), {.space_cut = true});
  refused(build_verified_index(text, {.depth = 4, .reverse = true}), {});
  refused(build_verified_index(corpus_of("ab"), {.depth = 4, .corpus_end = CorpusEnd::reference}), {});
  const std::vector<std::string_view> names = {"anna", "bob"};
  const Corpus documents = Corpus::from_documents(names, VocabularyKind::characters);
  refused(build_verified_index(documents, {.starts = {Starts::Rule::documents}}), {});
}

TEST_CASE("the progress of a synthesis rises, and what it throws ends the work") {
  const TrieIndex index = build_verified_index(corpus_of("to be or not to be"), {.depth = 4});
  for (const SynthesisWalk walk : {SynthesisWalk::bridge, SynthesisWalk::suffix}) {
    const SynthesisOptions options{.n_tokens = 1'000'000, .walk = walk};
    std::vector<double> seen;
    synthesize(index, options, [&](double fraction) { seen.push_back(fraction); });
    CHECK(seen.size() > 2);
    CHECK(std::is_sorted(seen.begin(), seen.end()));
    CHECK(seen.back() <= 1);
    CHECK_THROWS_AS(synthesize(index, options, [](double) { throw 1; }), int);
  }
}

}  // namespace
}  // namespace agpt
