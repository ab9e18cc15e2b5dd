#include "cpp/synth/synthesis.h"

#include "cpp/base/error.h"
#include "cpp/synth/reference_leaves.h"
#include "cpp/synth/suffix_walk.h"
#include "cpp/synth/uniform_leaves.h"
#include "cpp/synth/wrap_walk.h"

namespace agpt {
namespace {

bool cuts_or_aligns(const SynthesisOptions& options) {
  return options.space_align || options.space_cut || options.prune_mass1_space || options.prune_mass1_head;
}

void require_suitable(const TrieIndex& index, const SynthesisOptions& options) {
  AGPT_REQUIRE(options.n_tokens >= 0,
               "the number of tokens is " + std::to_string(options.n_tokens) + ", but a text has none or more");
  AGPT_REQUIRE(options.space_align_topk >= 1,
               "space_align_topk is " + std::to_string(options.space_align_topk) + ", but must be 1 or more");
  index.require_text("synthesis");
  AGPT_REQUIRE(!index.options().reverse,
               "the index reads its text backwards, and would write it so: build it without reverse");
  AGPT_REQUIRE(index.options().starts.rule != Starts::Rule::documents,
               "the index knows the beginnings of documents only, and nothing to go on with: build it with the starts "
               "'every'");
  if (options.walk == SynthesisWalk::suffix) {
    AGPT_REQUIRE(!cuts_or_aligns(options), "cuts and space_align are for the walk 'bridge', not for 'suffix'");
    AGPT_REQUIRE(options.rng != SynthesisRng::reference, "the reference knows the walk 'bridge' only, not 'suffix'");
  }
  AGPT_REQUIRE(options.rng != SynthesisRng::reference || index.options().corpus_end == CorpusEnd::reference,
               "the texts of the reference come from an index with the corpus end 'reference': build it so");
}

std::optional<Token> token_of(const Vocabulary& vocabulary, char character) {
  if (vocabulary.kind() == VocabularyKind::bytes) return static_cast<Token>(character);
  if (vocabulary.characters().find(character) == std::string::npos) return std::nullopt;
  return vocabulary.encode(std::string_view(&character, 1))[0];
}

CutTokens cut_tokens(const Vocabulary& vocabulary, const SynthesisOptions& options) {
  const CutTokens cuts{token_of(vocabulary, ' '), token_of(vocabulary, '\n')};
  AGPT_REQUIRE(cuts.space || !(options.space_align || options.space_cut),
               "space_align and space_cut need a space, but the vocabulary has no token for it");
  AGPT_REQUIRE(cuts.space || cuts.newline || !options.prune_mass1_space,
               "prune_mass1_space needs a space or a line end, but the vocabulary has no token for either");
  return cuts;
}

template <class Id>
void write_text(const TrieIndex& index, const SynthesisOptions& options, TextWriter<Id>& writer, Synthesis& result) {
  const std::span<const Id> tokens(static_cast<const Id*>(index.tokens().data()),
                                   static_cast<size_t>(index.n_tokens()));
  const CutTokens cuts = cut_tokens(index.vocabulary(), options);
  const bool is_reference = options.rng == SynthesisRng::reference;
  const LeafTable table(index, is_reference ? LeafTable::Ends::leaves : LeafTable::Ends::leaves_and_targets);
  const std::optional<Token> first = index.vocabulary().boundary();
  if (options.walk == SynthesisWalk::suffix) {
    SuffixWalk<Id>(index, table, options.seed).run(first, writer, result);
    return;
  }
  const auto wrap = [&](auto leaves) {
    WrapWalk<Id, decltype(leaves)>(tokens, table, leaves, options, cuts).run(first, writer, result);
  };
  if (is_reference) {
    wrap(ReferenceLeaves(index, options.seed));
  } else {
    wrap(UniformLeaves(index, table, options.seed));
  }
}

}  // namespace

Synthesis synthesize(const TrieIndex& index, const SynthesisOptions& options, const SynthesisProgress& progress) {
  require_suitable(index, options);
  Synthesis result;
  result.tokens = TokenArray(options.n_tokens, index.tokens().token_bytes());
  index.tokens().visit([&]<class Id>(std::span<const Id>) {
    TextWriter<Id> writer(result.tokens.template writable<Id>(), progress);
    write_text(index, options, writer, result);
  });
  return result;
}

}  // namespace agpt
