// Bindings of the queries of an index: one path, many paths, occurrences, continuations, nodes.
#include "cpp/trie/trie_queries.h"

#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <algorithm>

#include "cpp/base/error.h"
#include "cpp/trie/continuation_sampler.h"
#include "cpp/trie/path_occurrences.h"
#include "python/src/arrays.h"
#include "python/src/path_batch.h"
#include "python/src/trie_index.h"

using namespace nb::literals;

namespace {

using agpt::Index;
using agpt::PathBatch;
using agpt::TrieIndex;

/// A NumPy array (rows, columns) that owns `values`.
template <class Value>
nb::ndarray<nb::numpy, Value, nb::ndim<2>> matrix_of(std::vector<Value> values, size_t rows, size_t columns) {
  auto* const kept = new std::vector<Value>(std::move(values));
  const nb::capsule owner(kept, [](void* p) noexcept { delete static_cast<std::vector<Value>*>(p); });
  return nb::ndarray<nb::numpy, Value, nb::ndim<2>>(kept->data(), {rows, columns}, owner);
}

nb::dict next_counts(const TrieIndex& index, nb::handle tokens) {
  nb::dict counts;
  for (const agpt::TokenCount& target : index.next_counts(tokens_of(tokens)))
    counts[nb::int_(target.token)] = target.count;
  return counts;
}

/// What a function of C++ answers for a batch, computed without the GIL.
template <class Function>
auto ask(const TrieIndex& index, nb::handle paths, nb::handle lengths, Function function) {
  const PathBatch batch = paths_of(paths, lengths);
  nb::gil_scoped_release release;
  return function(index, batch);
}

nb::tuple next_counts_batch(const TrieIndex& index, nb::handle paths, nb::handle lengths) {
  agpt::SparseCounts rows = ask(index, paths, lengths, agpt::next_counts_of_paths);
  return nb::make_tuple(array_of(std::move(rows.row_begin)), array_of(std::move(rows.tokens)),
                        array_of(std::move(rows.counts)));
}

auto next_distribution_batch(const TrieIndex& index, nb::handle paths, nb::handle lengths) {
  const PathBatch batch = paths_of(paths, lengths);
  const auto width = static_cast<size_t>(index.vocabulary_size());
  std::vector<float> distributions;
  {
    nb::gil_scoped_release release;
    distributions.resize(batch.size() * width);
    agpt::next_distributions_of_paths(index, batch, distributions);
  }
  return matrix_of(std::move(distributions), batch.size(), width);
}

auto sample_batch(const TrieIndex& index, nb::handle contexts, Index n_tokens, nb::handle lengths, uint64_t seed,
                  bool exact) {
  std::vector<int32_t> tokens = ask(index, contexts, lengths, [&](const TrieIndex& trie, const PathBatch& batch) {
    return agpt::sample_continuations(trie, batch, {.n_tokens = n_tokens, .seed = seed, .exact = exact});
  });
  const size_t n = n_tokens == 0 ? paths_of(contexts, lengths).size() : tokens.size() / static_cast<size_t>(n_tokens);
  return matrix_of(std::move(tokens), n, static_cast<size_t>(n_tokens));
}

OwnedArray<int32_t> sample(const TrieIndex& index, nb::handle context, Index n_tokens, uint64_t seed, bool exact) {
  PathBatch batch;
  batch.tokens = tokens_of(context);
  batch.begin.push_back(batch.tokens.size());
  std::vector<int32_t> tokens;
  {
    nb::gil_scoped_release release;
    tokens = agpt::sample_continuations(index, batch, {.n_tokens = n_tokens, .seed = seed, .exact = exact});
    tokens.erase(std::ranges::find(tokens, agpt::kNoToken), tokens.end());
  }
  return array_of(std::move(tokens));
}

OwnedArray<Index> occurrences(const TrieIndex& index, nb::handle path, std::optional<Index> limit) {
  AGPT_REQUIRE(!limit || *limit >= 0, "limit is " + std::to_string(*limit) + ", but must be at least 0");
  const std::vector<agpt::Token> tokens = tokens_of(path);
  std::vector<Index> positions;
  {
    nb::gil_scoped_release release;
    positions = agpt::find_occurrences(index, tokens, limit.value_or(-1));
  }
  return array_of(std::move(positions));
}

void bind_single(nb::class_<TrieIndex>& index) {
  index
      .def(
          "count", [](const TrieIndex& self, nb::handle tokens) { return self.count(tokens_of(tokens)); }, "tokens"_a,
          nb::sig("def count(self, tokens: numpy.typing.ArrayLike) -> int"),
          "How many starts run through this path and are followed by something.")
      .def("next_counts", &next_counts, "tokens"_a,
           nb::sig("def next_counts(self, tokens: numpy.typing.ArrayLike) -> dict[int, int]"),
           "What follows the path, token by token, and how often; empty if the path does not occur.")
      .def(
          "longest_match",
          [](const TrieIndex& self, nb::handle tokens) { return self.longest_match(tokens_of(tokens)); }, "tokens"_a,
          nb::sig("def longest_match(self, tokens: numpy.typing.ArrayLike) -> int"),
          "How many of the first tokens form a path of the trie.")
      .def("occurrences", &occurrences, "tokens"_a, "limit"_a.none() = nb::none(),
           nb::sig("def occurrences(self, tokens: numpy.typing.ArrayLike, limit: int | None = None) -> "
                   "numpy.typing.NDArray[numpy.int64]"),
           "Where in `tokens` the starts that count() counts are, ascending; the first `limit` of them. In a reversed "
           "index these are positions of the reversed text.")
      .def(
          "sample", &sample, "context"_a, "n_tokens"_a, nb::kw_only(), "seed"_a = 0, "exact"_a = false,
          nb::sig("def sample(self, context: numpy.typing.ArrayLike, n_tokens: int, *, seed: int = 0, exact: bool = "
                  "False) -> numpy.typing.NDArray[numpy.int32]"),
          "Draws what follows the context, token by token with the probability that the counts give: after the longest "
          "suffix of the text so far that is a path of the trie, or, with exact=True, along one path that begins with "
          "the whole context and ends, perhaps early, where the trie does.");
}

void bind_batches(nb::class_<TrieIndex>& index) {
  index
      .def(
          "count_batch",
          [](const TrieIndex& self, nb::handle paths, nb::handle lengths) {
            return array_of(ask(self, paths, lengths, agpt::count_paths));
          },
          "paths"_a, "lengths"_a.none() = nb::none(),
          nb::sig(
              "def count_batch(self, paths: numpy.typing.ArrayLike, lengths: numpy.typing.ArrayLike | None = None) -> "
              "numpy.typing.NDArray[numpy.int64]"),
          "count() of each path (n,). paths: an array (n, longest) of ids, of which the first lengths[i] are path i "
          "(all "
          "where lengths are not given), or a sequence of sequences of ids.")
      .def(
          "longest_match_batch",
          [](const TrieIndex& self, nb::handle paths, nb::handle lengths) {
            return array_of(ask(self, paths, lengths, agpt::match_paths));
          },
          "paths"_a, "lengths"_a.none() = nb::none(),
          nb::sig(
              "def longest_match_batch(self, paths: numpy.typing.ArrayLike, lengths: numpy.typing.ArrayLike | None = "
              "None) -> numpy.typing.NDArray[numpy.int64]"),
          "longest_match() of each path (n,); paths and lengths as for count_batch().")
      .def(
          "next_counts_batch", &next_counts_batch, "paths"_a, "lengths"_a.none() = nb::none(),
          nb::sig("def next_counts_batch(self, paths: numpy.typing.ArrayLike, lengths: numpy.typing.ArrayLike | None = "
                  "None) -> tuple[numpy.typing.NDArray[numpy.int64], numpy.typing.NDArray[numpy.uint32], "
                  "numpy.typing.NDArray[numpy.int64]]"),
          "next_counts() of each path as a sparse matrix in compressed rows, (row_begin, tokens, counts): path i is "
          "followed by tokens[row_begin[i]:row_begin[i + 1]]. Paths and lengths as for count_batch().")
      .def(
          "next_distribution_batch", &next_distribution_batch, "paths"_a, "lengths"_a.none() = nb::none(),
          nb::sig(
              "def next_distribution_batch(self, paths: numpy.typing.ArrayLike, lengths: numpy.typing.ArrayLike | None "
              "= None) -> numpy.typing.NDArray[numpy.float32]"),
          "Probabilities of the next token (n, vocab_size), from the counts; a row of zeros for a path that does not "
          "occur. Paths and lengths as for count_batch().")
      .def("sample_batch", &sample_batch, "contexts"_a, "n_tokens"_a, "lengths"_a.none() = nb::none(), nb::kw_only(),
           "seed"_a = 0, "exact"_a = false,
           nb::sig("def sample_batch(self, contexts: numpy.typing.ArrayLike, n_tokens: int, lengths: "
                   "numpy.typing.ArrayLike | None = None, *, seed: int = 0, exact: bool = False) -> "
                   "numpy.typing.NDArray[numpy.int32]"),
           "sample() for each context (n, n_tokens), -1 behind the end of one that ends early. Row i depends on the "
           "seed, i and context i alone. Contexts and lengths as paths for count_batch().");
}

}  // namespace

void bind_trie_queries(nb::class_<TrieIndex>& index) {
  bind_single(index);
  bind_batches(index);
}
