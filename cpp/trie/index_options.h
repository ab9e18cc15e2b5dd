// What an index is built with: depth, starts, the rule at the end of the text, pruning, the held-out part.
#pragma once

#include <string>

#include "cpp/base/types.h"

namespace agpt {

/// Where paths begin.
struct Starts {
  enum class Rule : uint32_t {
    every,      ///< every token that is followed by something; with documents, within its document
    stride,     ///< every stride-th token of a text
    max,        ///< at most `count` tokens of a text, evenly spread and rotated by `offset`
    documents,  ///< the first boundary of each document
    imported,   ///< unknown: the trie was read from a file without its text, which had `count` tokens
  };
  Rule rule = Rule::every;
  Index stride = 1;
  Index count = 0;
  Index offset = 0;

  /// Reads "every", "stride=K", "max=N", "max=N+OFFSET" or "documents". Throws ArgumentError.
  static Starts parse(const std::string& text);
  std::string to_string() const;
  /// The same rule, with the numbers that it does not read at their defaults.
  Starts canonical() const;
  bool operator==(const Starts&) const = default;
};

/// What happens to a path that occurs once and runs into the end of the text.
enum class CorpusEnd : uint32_t {
  exact,      ///< its edge ends at the last token that is followed by something
  reference,  ///< its whole edge is dropped, as the reference builder does
};

/// Reads "exact" or "reference". Throws ArgumentError.
CorpusEnd parse_corpus_end(const std::string& text);
std::string to_string(CorpusEnd rule);

struct IndexOptions {
  int depth = 32;           ///< longest path, 1 .. 253
  double val_fraction = 0;  ///< part of the corpus that the trie does not see, 0 <= f < 1
  uint64_t split_seed = 0;  ///< chooses the held-out documents; a running text holds out its end
  Starts starts = {};
  CorpusEnd corpus_end = CorpusEnd::exact;
  bool reverse = false;      ///< reads the corpus backwards
  Index prune_min_mass = 1;  ///< drops edges whose first row has less mass ...
  int prune_min_depth = 4;   ///< ... and at least this depth, with all below them

  /// Throws ArgumentError for a value out of range.
  void validate() const;
};

}  // namespace agpt
