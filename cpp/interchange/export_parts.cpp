#include "cpp/interchange/export_parts.h"

#include "cpp/base/error.h"
#include "cpp/interchange/reference_format.h"
#include "cpp/trie/index_builder.h"

namespace agpt {

Index n_source_tokens(const TrieIndex& index) {
  return index.has_text() ? index.n_tokens() : index.options().starts.count;
}

void require_every_start(const TrieIndex& index, const std::string& what) {
  AGPT_REQUIRE(!index.has_documents(),
               what + " is of a running text, but the index is of documents: build one with --starts every");
  AGPT_REQUIRE(!index.has_text() || index.options().starts.rule == Starts::Rule::every,
               what + " has every start, but the index was built with the starts '" +
                   index.options().starts.to_string() + "': build one with --starts every");
}

void require_unpruned(const TrieIndex& index, const std::string& what) {
  AGPT_REQUIRE(index.options().prune_min_mass == 1,
               what + " has every path, but the index was pruned: build one with --prune-min-mass 1");
}

TrieIndex rebuild_whole(const TrieIndex& index) {
  const Corpus corpus =
      index.tokens().visit([&](auto ids) { return Corpus::from_tokens(ids, index.vocabulary_size()); });
  IndexOptions options = index.options();
  options.val_fraction = 0;
  options.reverse = false;  // the text in the index is backwards already
  options.prune_min_mass = 1;
  options.corpus_end = CorpusEnd::exact;
  return build_trie_index(corpus, options);
}

void write_source(const TrieIndex& index, RecordWriter& file) {
  file.put_u32(static_cast<uint32_t>(n_source_tokens(index)));
  file.put_u32(static_cast<uint32_t>(index.vocabulary_size()));
  file.put_u64(index.token_hash());
  file.put_text(kTokenizerTag);
}

void write_entries(std::span<const TokenCount> entries, RecordWriter& file) {
  file.put_u32(static_cast<uint32_t>(entries.size()));
  for (const TokenCount& entry : entries) {
    file.put_u32(entry.token);
    file.put_u32(entry.count);
  }
}

}  // namespace agpt
