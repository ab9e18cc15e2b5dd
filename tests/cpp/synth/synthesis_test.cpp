// The published texts of the reference, bit for bit, and its draws.
#include "cpp/synth/synthesis.h"

#include <doctest/doctest.h>

#include "cpp/trie/index_builder.h"
#include <cstdio>
#include <ctime>
namespace agpt {
TEST_CASE("x") {
  const Corpus corpus = Corpus::from_file("/work/shared/data/tinyshakespeare.txt", VocabularyKind::characters, false);
  const TrieIndex index = build_trie_index(corpus, {.depth = 32, .corpus_end = CorpusEnd::reference});
  const TrieIndex index8 = build_trie_index(corpus, {.depth = 8});
  const auto run = [&](const TrieIndex& index, SynthesisOptions o) {
    const clock_t a = clock();
    Synthesis s = synthesize(index, o);
    const double t = double(clock() - a) / CLOCKS_PER_SEC;
    uint64_t h = 1469598103934665603u;
    const std::string chars = corpus.vocabulary().characters();
    for (Index i = 0; i < s.tokens.size(); ++i) h = (h ^ uint8_t(chars[s.tokens.view()[i]])) * 1099511628211u;
    std::printf("%.3f s wraps %ld cut %ld restarts %ld backoffs %ld fnv %016lx\n", t, s.wraps, s.cut_wraps, s.restarts, s.backoffs, h);
    std::string t0; for (Index i = 0; i < std::min<Index>(100, s.tokens.size()); ++i) t0 += chars[s.tokens.view()[i]];
    std::printf("%s\n", t0.c_str());
  };
  for (auto rng : {SynthesisRng::reference, SynthesisRng::xoshiro}) {
    run(index, {.n_tokens = 0, .rng = rng});
    run(index, {.n_tokens = 10'000'000, .rng = rng});
    run(index, {.n_tokens = 1'000'000, .rng = rng});
    run(index, {.n_tokens = 10'000'000, .rng = rng, .prune_mass1_head = true});
    run(index, {.n_tokens = 10'000'000, .rng = rng, .prune_mass1_space = true});
    run(index, {.n_tokens = 10'000'000, .rng = rng, .space_cut = true});
    run(index, {.n_tokens = 10'000'000, .rng = rng, .space_align = true});
  }
  run(index, {.n_tokens = 10'000'000, .walk = SynthesisWalk::suffix});
  run(index8, {.n_tokens = 10'000'000, .walk = SynthesisWalk::suffix});
  run(index8, {.n_tokens = 10'000'000});
}
}
