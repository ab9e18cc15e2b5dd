// Random corpora with options, their index, and its exported files.
#pragma once

#include "cpp/base/random.h"
#include "cpp/interchange/radix_export.h"
#include "cpp/interchange/reference_files.h"
#include "tests/cpp/interchange/reference_builders.h"
#include "tests/cpp/trie/verified_index.h"

namespace agpt {

struct Case {
  Text text;
  Index vocabulary_size;
  IndexOptions options;

  Text as_read() const { return options.reverse ? Text(text.rbegin(), text.rend()) : text; }
  TrieIndex build() const {
    return build_verified_index(Corpus::from_tokens(std::span<const Token>(text), vocabulary_size), options);
  }
  Pruning pruning() const { return {options.prune_min_mass, options.prune_min_depth}; }
};

inline Case random_case(Random& random) {
  Case c;
  const auto n = static_cast<size_t>(2 + random.below(random.below(4) == 0 ? 120 : 24));
  c.vocabulary_size = static_cast<Index>(1 + random.below(4));
  for (size_t i = 0; i < n; ++i)
    c.text.push_back(static_cast<Token>(random.below(static_cast<uint64_t>(c.vocabulary_size))));
  if (random.below(8) == 0)  // periodic
    for (size_t i = 3; i < n; ++i) c.text[i] = c.text[i - 3];
  c.vocabulary_size += static_cast<Index>(random.below(2));  // an id that does not occur
  c.options.depth = static_cast<int>(1 + random.below(9));
  c.options.reverse = random.below(3) == 0;
  if (random.below(3) == 0) {
    c.options.prune_min_mass = static_cast<Index>(1 + random.below(3));
    c.options.prune_min_depth = static_cast<int>(1 + random.below(4));
  }
  c.options.corpus_end = random.below(2) == 0 ? CorpusEnd::reference : CorpusEnd::exact;
  return c;
}

inline Files exported(const TrieIndex& index, BuilderOrder order, SubtreeFiles subtrees) {
  MemoryFolder folder;
  export_radix(index, {.order = order, .subtrees = subtrees}, folder);
  return folder.files();
}

/// Views of files in memory, which must outlive the result.
inline ReferenceFiles files_in_memory(const Files& files) {
  ReferenceFiles::Contents contents;
  for (const auto& [name, bytes] : files) contents[name] = std::as_bytes(std::span(bytes));
  return {"memory", contents};
}

}  // namespace agpt
