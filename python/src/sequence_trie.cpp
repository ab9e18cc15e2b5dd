// Bindings of cpp/rows/sequence_trie: trees of sequences of any origin.
#include "cpp/rows/sequence_trie.h"

#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>

#include <algorithm>

#include "cpp/base/error.h"
#include "cpp/trie/trie_index.h"
#include "python/src/arrays.h"
#include "python/src/bindings.h"

using namespace nb::literals;

namespace {

using agpt::Index;
using agpt::SequenceTrie;
using agpt::Vocabulary;

using Weights = nb::ndarray<const double, nb::ndim<1>, nb::c_contig, nb::device::cpu>;

agpt::WeightedSequences read_sequences(const nb::sequence& sequences, const std::optional<Weights>& weights,
                                       const std::optional<nb::sequence>& token_weights) {
  const size_t n = nb::len(sequences);
  AGPT_REQUIRE(!weights || weights->size() == n, "there are " + std::to_string(n) + " sequences, but " +
                                                     std::to_string(weights ? weights->size() : 0) + " weights");
  AGPT_REQUIRE(!token_weights || nb::len(*token_weights) == n,
               "there are " + std::to_string(n) + " sequences, but token_weights has another length");
  agpt::WeightedSequences all;
  for (size_t i = 0; i < n; ++i) {
    const std::vector<agpt::Token> tokens = tokens_of(sequences[i]);
    std::vector<double> of_tokens;
    if (token_weights) {
      const Weights values = nb::cast<Weights>(
          nb::module_::import_("numpy").attr("ascontiguousarray")((*token_weights)[i], "dtype"_a = "float64"));
      of_tokens.assign(values.data(), values.data() + values.size());
    }
    AGPT_REQUIRE(!token_weights || of_tokens.size() == tokens.size(),
                 "sequence " + std::to_string(i) + " has " + std::to_string(tokens.size()) + " tokens, but " +
                     std::to_string(of_tokens.size()) + " token weights");
    all.add(tokens, weights ? weights->data()[i] : 1, of_tokens);
  }
  return all;
}

Vocabulary vocabulary_for(const agpt::WeightedSequences& sequences, const std::optional<Vocabulary>& vocabulary,
                          std::optional<Index> vocab_size) {
  AGPT_REQUIRE(!vocabulary || !vocab_size, "vocabulary and vocab_size are both given: choose one of the two");
  if (vocabulary) return *vocabulary;
  Index size = 1;
  for (const agpt::Token token : sequences.tokens) size = std::max(size, static_cast<Index>(token) + 1);
  return Vocabulary::of_tokens(vocab_size.value_or(size), false);
}

SequenceTrie from_sequences(const nb::sequence& sequences, const std::optional<Weights>& weights,
                            const std::optional<nb::sequence>& token_weights,
                            const std::optional<Vocabulary>& vocabulary, std::optional<Index> vocab_size, bool share) {
  const agpt::WeightedSequences all = read_sequences(sequences, weights, token_weights);
  Vocabulary of_all = vocabulary_for(all, vocabulary, vocab_size);
  nb::gil_scoped_release release;
  return SequenceTrie(all, std::move(of_all), share);
}

std::string hash_of(const SequenceTrie& trie) {
  char digits[17];
  std::snprintf(digits, sizeof digits, "%016llx", static_cast<unsigned long long>(trie.hash()));
  return digits;
}

}  // namespace

void bind_sequence_trie(nb::module_& m) {
  nb::class_<SequenceTrie>(m, "SequenceTrie",
                           "The prefix tree of token sequences of any length, with a weight for each prediction.")
      .def_prop_ro("n_sequences", &SequenceTrie::n_sequences)
      .def_prop_ro("n_rows", &SequenceTrie::n_rows, "Distinct prefixes, context alone included.")
      .def_prop_ro("n_positions", &SequenceTrie::n_positions, "Distinct prefixes that something is predicted from.")
      .def_prop_ro("n_flat_rows", &SequenceTrie::n_flat_rows, "Rows of the sequences without sharing.")
      .def_prop_ro(
          "sharing_ratio",
          [](const SequenceTrie& self) {
            return static_cast<double>(self.n_flat_rows()) / static_cast<double>(self.n_rows());
          },
          "Rows without sharing for each row: a bound on what sharing saves.")
      .def_prop_ro("depth", &SequenceTrie::depth, "Length of the longest path; the least context of a model.")
      .def_prop_ro("total_weight", &SequenceTrie::total_weight, "Sum of the weights of all predictions.")
      .def_prop_ro("vocabulary", &SequenceTrie::vocabulary, nb::rv_policy::reference_internal)
      .def_prop_ro("vocab_size", [](const SequenceTrie& self) { return self.vocabulary().size(); })
      .def_prop_ro("hash", &hash_of, "Hash of tokens and weights, 16 hexadecimal digits.")
      .def("__repr__", [](const SequenceTrie& self) {
        return "SequenceTrie(n_sequences=" + std::to_string(self.n_sequences()) +
               ", n_rows=" + std::to_string(self.n_rows()) + ", n_positions=" + std::to_string(self.n_positions()) +
               ", depth=" + std::to_string(self.depth()) + ")";
      });
  nb::borrow<nb::class_<agpt::TrieIndex>>(m.attr("TrieIndex"))
      .def_static(
          "from_sequences", &from_sequences, "sequences"_a, "weights"_a.none() = nb::none(), nb::kw_only(),
          "token_weights"_a.none() = nb::none(), "vocabulary"_a.none() = nb::none(), "vocab_size"_a.none() = nb::none(),
          "share"_a = true,
          nb::sig(
              "def from_sequences(sequences: collections.abc.Sequence[numpy.typing.ArrayLike], weights: "
              "numpy.typing.NDArray[numpy.float64] | None = None, *, token_weights: "
              "collections.abc.Sequence[numpy.typing.ArrayLike] | None = None, vocabulary: Vocabulary | None = None, "
              "vocab_size: int | None = None, share: bool = True) -> SequenceTrie"),
          "The prefix tree of token sequences. Each token but the first of a sequence is predicted from all before it, "
          "with the weight of the sequence times that of the token (both 1 unless given; 0 leaves a token as "
          "context). Without `share` every sequence has rows of its own: the same gradient, for measuring what sharing "
          "saves.");
}
