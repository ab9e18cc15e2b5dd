#include "cpp/interchange/source_text.h"

#include "cpp/base/error.h"
#include "cpp/trie/index_builder.h"

namespace agpt {

Index n_source_tokens(const TrieIndex& index) { return index.n_tokens(); }

void require_every_start(const TrieIndex& index, const std::string& what) {
  AGPT_REQUIRE(!index.has_documents(),
               what + " is of a running text, but the index is of documents: build one with --starts every");
  AGPT_REQUIRE(index.options().starts.rule == Starts::Rule::every,
               what + " has every start, but the index was built with the starts '" +
                   index.options().starts.to_string() + "': build one with --starts every");
}

void require_text(const TrieIndex&, const std::string&) {}

TrieIndex rebuild_unpruned(const TrieIndex& index) {
  const Corpus corpus =
      index.tokens().visit([&](auto ids) { return Corpus::from_tokens(ids, index.vocabulary_size()); });
  IndexOptions options = index.options();
  options.val_fraction = 0;
  options.reverse = false;  // the text in the index is backwards already
  options.prune_min_mass = 1;
  return build_trie_index(corpus, options);
}

}  // namespace agpt
