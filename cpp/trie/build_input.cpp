#include "cpp/trie/build_input.h"

#include <algorithm>
#include <thread>

#include "cpp/base/error.h"
#include "cpp/trie/index_layout.h"

namespace agpt {
namespace {

size_t bytes_of(TokenView tokens) { return static_cast<size_t>(tokens.size() * tokens.token_bytes()); }

// Bytes of the tokens that are held during a build: the split, and the corpus it was copied from.
size_t corpus_bytes(const CorpusSplit& split) {
  const size_t bytes = bytes_of(split.training.view()) + bytes_of(split.held_out.view());
  return split.training.is_elsewhere() ? bytes : 2 * bytes;
}

}  // namespace

CorpusSplit checked_split(const Corpus& corpus, const IndexOptions& options) {
  options.validate();
  AGPT_REQUIRE(corpus.n_tokens() < kMaxTokens,
               "the corpus has " + std::to_string(corpus.n_tokens()) + " tokens, but an index holds fewer than 2^31");
  return split_corpus(corpus, options.val_fraction, options.split_seed, options.reverse);
}

int checked_threads(const Vocabulary& vocabulary, const IndexOptions& options, int n_threads) {
  options.validate();
  AGPT_REQUIRE(!vocabulary.boundary() || options.corpus_end == CorpusEnd::exact,
               "the rule 'reference' is about the end of a running text, but this is a corpus of documents");
  AGPT_REQUIRE(n_threads >= 0 && n_threads <= 1024, "the number of threads is " + std::to_string(n_threads) +
                                                        ", but must be from 0 (as many as the machine has) to 1024");
  if (n_threads != 0) return n_threads;
  return static_cast<int>(std::clamp(std::thread::hardware_concurrency(), 1u, 64u));
}

BuildInput::BuildInput(const CorpusSplit& split, const Vocabulary& vocabulary, const IndexOptions& options,
                       size_t memory, ThreadPool& pool)
    : memory_(split.training.view(), vocabulary.boundary(), options, corpus_bytes(split), memory, pool.size()),
      reserved_(memory_.table_bytes(), "the index builder"),
      starts_(StartSet::choose(split.training.view(), vocabulary.boundary(), options.starts)),
      limits_(split.training.view(), vocabulary.boundary()),
      text_(split.training.view(), options.depth, pool),
      chunks_(text_, starts_, options, memory_.n_segments(), pool) {}

}  // namespace agpt
