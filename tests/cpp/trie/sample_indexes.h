// Small good indexes of every kind, which together have an element in every column.
#pragma once

#include <string>
#include <vector>

#include "cpp/base/random.h"
#include "cpp/trie/index_builder.h"

namespace agpt {

struct SampleIndex {
  std::string name;
  TrieIndex index;
};

namespace sample_corpora {

inline Corpus running(Index n, Token alphabet, Token scale = 1) {
  Random random(static_cast<uint64_t>(n) + alphabet);
  std::vector<Token> tokens(static_cast<size_t>(n));
  for (Token& token : tokens) token = static_cast<Token>(random.below(alphabet)) * scale;
  return Corpus::from_tokens<Token>(tokens, {});
}

inline Corpus documents() {
  Random random(7);
  std::vector<std::vector<Token>> texts(30);
  for (auto& text : texts) {
    text.resize(random.below(6));
    for (Token& token : text) token = static_cast<Token>(random.below(3));
  }
  return Corpus::from_token_documents(texts, {});
}

}  // namespace sample_corpora

inline std::vector<SampleIndex> make_sample_indexes() {
  using sample_corpora::documents, sample_corpora::running;
  std::vector<SampleIndex> samples;
  const auto add = [&](const std::string& name, const Corpus& corpus, const IndexOptions& options) {
    samples.push_back({name, build_trie_index(corpus, options, 1)});
  };
  add("running text", running(150, 3), {.depth = 6});
  add("edges at the end dropped", running(150, 2), {.depth = 9, .corpus_end = CorpusEnd::reference});
  add("every 3rd start", running(200, 3), {.depth = 5, .starts = Starts::parse("stride=3")});
  add("40 starts", running(200, 3), {.depth = 5, .starts = Starts::parse("max=40+7")});
  add("pruned", running(250, 3), {.depth = 6, .prune_min_mass = 3, .prune_min_depth = 2});
  add("pruned from the root, edges at the end dropped", running(200, 3),
      {.depth = 7, .corpus_end = CorpusEnd::reference, .prune_min_mass = 2, .prune_min_depth = 1});
  add("pruned heavily", running(1200, 2), {.depth = 3, .prune_min_mass = 600, .prune_min_depth = 2});
  add("reversed", running(150, 3), {.depth = 6, .reverse = true});
  add("held-out end", running(150, 3), {.depth = 5, .val_fraction = 0.2});
  add("two bytes a token", running(100, 5, 300), {.depth = 5});
  add("four bytes a token", running(100, 5, 70000), {.depth = 5});
  add("all equal", running(400, 1), {.depth = 5});
  add("many nodes", running(500, 2), {.depth = 9});
  add("characters",
      Corpus::from_text("to be, or not to be: that is the question \u2014 w\u00e4r's", VocabularyKind::characters),
      {.depth = 8});
  add("bytes", Corpus::from_text("abracadabra, abracadabra", VocabularyKind::bytes), {.depth = 253});
  add("two tokens", running(2, 2), {.depth = 3});
  IndexOptions options{.depth = 4, .val_fraction = 0.2, .split_seed = 3};
  options.starts.rule = Starts::Rule::documents;
  add("documents", documents(), options);
  options.prune_min_mass = 2;
  options.prune_min_depth = 3;
  add("pruned documents", documents(), options);
  add("every token of documents", documents(), {.depth = 5, .val_fraction = 0.1, .reverse = true});
  return samples;
}

}  // namespace agpt
