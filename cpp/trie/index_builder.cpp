#include "cpp/trie/index_builder.h"

#include <algorithm>
#include <atomic>
#include <memory>
#include <numeric>
#include <thread>

#include "cpp/base/error.h"
#include "cpp/base/thread_pool.h"
#include "cpp/corpus/split.h"
#include "cpp/trie/index_image.h"
#include "cpp/trie/suffix_chunks.h"

namespace agpt {
namespace {

constexpr double kSortedAt = 0.9;  // of the work, when only the writing of the columns is left

std::vector<uint32_t> document_starts(TokenView tokens, Token boundary) {
  std::vector<uint32_t> starts;
  bool inside = false;
  for (Index i = 0; i < tokens.size(); ++i) {
    if (tokens[i] != boundary) continue;
    inside = !inside;
    if (inside) starts.push_back(static_cast<uint32_t>(i));
  }
  return starts;
}

// Every token but the last of a document, or of the text: that is followed by nothing.
std::vector<uint32_t> every_start(TokenView tokens, std::optional<Token> boundary) {
  std::vector<uint32_t> starts(static_cast<size_t>(tokens.size() - 1));
  std::iota(starts.begin(), starts.end(), 0u);
  if (boundary) {
    bool inside = false;
    std::erase_if(starts, [&](uint32_t i) {
      if (tokens[i] == *boundary) inside = !inside;
      return !inside;
    });
  }
  return starts;
}

std::vector<uint32_t> evenly_spread_starts(Index n_candidates, const Starts& rule) {
  const Index n = std::min(n_candidates, rule.count);
  const Index offset = n == n_candidates ? 0 : rule.offset % n_candidates;
  std::vector<uint32_t> starts;
  for (Index i = 0; i < n; ++i)  // n_candidates < 2^31: the product fits
    starts.push_back(static_cast<uint32_t>((i * n_candidates / n + offset) % n_candidates));
  std::sort(starts.begin(), starts.end());
  return starts;
}

// Suffixes that agree up to the end of their documents were told apart by what comes after it: makes them ties, in text
// order.
void stop_at_document_ends(const PathLimits& limits, int depth, uint32_t* suffixes, uint8_t* common, uint32_t n) {
  const auto full = static_cast<uint8_t>(depth + 1);
  for (uint32_t begin = 0; begin < n;) {
    uint32_t end = begin + 1;
    for (; end < n && common[end] > limits.n_rows(suffixes[end]); ++end) common[end] = full;
    std::sort(suffixes + begin, suffixes + end);
    begin = end;
  }
}

// The sorted suffixes of all starts as parts of columns. It owns the memory that the parts' leaves lie in.
template <class Id>
class PartsBuilder {
 public:
  PartsBuilder(std::span<const Id> tokens, const PathLimits& limits, const IndexOptions& options, SuffixChunks& chunks,
               const PackedText& text, int n_threads)
      : limits_(limits), options_(options), chunks_(chunks), pool_(n_threads) {
    for (int i = 0; i < pool_.size(); ++i)
      workers_.push_back({WindowSorter(text, options.depth), TriePartBuilder<Id>(tokens, limits, options), {}});
  }

  std::vector<TriePart<Id>> build(Index n_suffixes, const BuildProgress& progress) {
    std::vector<TriePart<Id>> parts(static_cast<size_t>(chunks_.size()), TriePart<Id>(options_.depth));
    std::atomic<Index> n_done{0};
    pool_.run(chunks_.size(), [&](Index chunk, int worker) {
      parts[static_cast<size_t>(chunk)] = build_part(chunk, workers_[static_cast<size_t>(worker)]);
      n_done += chunks_.n_suffixes(chunk);
      if (worker == 0 && progress) progress(kSortedAt * static_cast<double>(n_done) / static_cast<double>(n_suffixes));
    });
    return parts;
  }

 private:
  struct Worker {
    WindowSorter sorter;
    TriePartBuilder<Id> builder;
    std::vector<uint8_t> common;
  };

  TriePart<Id> build_part(Index chunk, Worker& worker) {
    const uint32_t n = chunks_.n_suffixes(chunk);
    if (worker.common.size() < n) worker.common.resize(n);
    uint8_t* const common = worker.common.data();
    chunks_.sort(chunk, worker.sorter, common);
    if (limits_.has_documents()) stop_at_document_ends(limits_, options_.depth, chunks_.suffixes(chunk), common, n);
    return worker.builder.build(chunks_.suffixes(chunk), common, n);
  }

  const PathLimits& limits_;
  const IndexOptions& options_;
  SuffixChunks& chunks_;
  ThreadPool pool_;
  std::vector<Worker> workers_;
};

int resolve_threads(int n_threads) {
  AGPT_REQUIRE(n_threads >= 0 && n_threads <= 1024, "the number of threads is " + std::to_string(n_threads) +
                                                        ", but must be from 0 (as many as the machine has) to 1024");
  if (n_threads != 0) return n_threads;
  return static_cast<int>(std::clamp(std::thread::hardware_concurrency(), 1u, 64u));
}

// Bytes of the parts: at most two nodes a start, of one byte and a label each, and about as much in the sparser
// columns.
size_t parts_bytes(size_t n_starts, int token_bytes) { return n_starts * (4 + 3 * static_cast<size_t>(token_bytes)); }

}  // namespace

std::vector<uint32_t> choose_starts(TokenView tokens, std::optional<Token> boundary, const Starts& starts) {
  const bool suits_documents = starts.rule == Starts::Rule::every || starts.rule == Starts::Rule::documents;
  AGPT_REQUIRE(
      !boundary || suits_documents,
      "the starts '" + starts.to_string() + "' are for a running text: a corpus of documents has documents or every");
  switch (starts.rule) {
    case Starts::Rule::every:
      return every_start(tokens, boundary);
    case Starts::Rule::max:
      return evenly_spread_starts(tokens.size() - 1, starts);
    case Starts::Rule::stride:
      break;
    case Starts::Rule::documents:
      AGPT_REQUIRE(boundary, "the starts 'documents' need a corpus of documents, but this is a running text");
      return document_starts(tokens, *boundary);
  }
  std::vector<uint32_t> strided;
  const Index n_candidates = tokens.size() - 1, stride = std::min(starts.stride, n_candidates);  // i stays in range
  for (Index i = 0; i < n_candidates; i += stride) strided.push_back(static_cast<uint32_t>(i));
  return strided;
}

TrieIndex build_trie_index(const Corpus& corpus, const IndexOptions& options, int n_threads,
                           const BuildProgress& progress) {
  options.validate();
  AGPT_REQUIRE(corpus.n_tokens() < kMaxTokens,
               "the corpus has " + std::to_string(corpus.n_tokens()) + " tokens, but an index holds fewer than 2^31");
  return build_trie_index(split_corpus(corpus, options.val_fraction, options.split_seed, options.reverse),
                          corpus.vocabulary(), options, n_threads, progress);
}

TrieIndex build_trie_index(const CorpusSplit& split, const Vocabulary& vocabulary, const IndexOptions& options,
                           int n_threads, const BuildProgress& progress) {
  options.validate();
  const std::optional<Token> boundary = vocabulary.boundary();
  AGPT_REQUIRE(!boundary || options.corpus_end == CorpusEnd::exact,
               "the rule 'reference' is about the end of a running text, but this is a corpus of documents");
  const TokenView tokens = split.training.view();
  const size_t limits_bytes = boundary ? static_cast<size_t>(tokens.size()) : 0;
  const size_t starts_bytes = static_cast<size_t>(tokens.size()) * 2 * sizeof(uint32_t);
  MemoryReservation reserved(PackedText::bytes_needed(tokens, options.depth) + starts_bytes + limits_bytes,
                             "the index builder");
  std::vector<uint32_t> starts = choose_starts(tokens, boundary, options.starts);
  const auto n_starts = static_cast<Index>(starts.size());
  const PathLimits limits(tokens, boundary);
  auto text = std::make_unique<PackedText>(tokens, options.depth);
  if (progress) progress(0);
  SuffixChunks chunks(*text, starts, options.depth);
  std::vector<uint32_t>().swap(starts);
  const auto threads = static_cast<size_t>(resolve_threads(n_threads));
  const MemoryReservation reserved_for_parts(
      parts_bytes(static_cast<size_t>(n_starts), tokens.token_bytes()) +
          threads * (WindowSorter::scratch_bytes(chunks.largest()) + chunks.largest()),
      "the index builder");
  const IndexSource source{split, vocabulary, options, n_starts};
  ByteImage image = tokens.visit([&]<class Id>(std::span<const Id> ids) {
    auto parts =
        PartsBuilder<Id>(ids, limits, options, chunks, *text, static_cast<int>(threads)).build(n_starts, progress);
    text.reset();  // the image takes its place
    return make_index_image(source, parts);
  });
  if (progress) progress(1);
  return TrieIndex(std::move(image), "the index");
}

}  // namespace agpt
