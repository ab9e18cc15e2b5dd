// Any tree of edges with counted targets as a trie index: the way into the engine for tries that come without a text.
#pragma once

#include "cpp/interchange/reference_view.h"
#include "cpp/trie/trie_index.h"

namespace agpt {

/// A radix trie as its edges, which are numbered from 1 with parents before children; 0 is the root.
class EdgeSource {
 public:
  virtual ~EdgeSource() = default;
  virtual size_t n_edges() const = 0;
  virtual uint32_t parent(size_t edge) const = 0;
  virtual int depth(size_t edge) const = 0;  ///< of its last token; 0 for the root
  virtual Token first_token(size_t edge) const = 0;
  /// Replaces `tokens` by those of the edge.
  virtual void tokens(size_t edge, std::vector<Token>& tokens) const = 0;
  /// Replaces `targets` by what follows the edge, in token order.
  virtual void targets(size_t edge, std::vector<TokenCount>& targets) const = 0;
  /// Replaces `depths` by those at which starts run into the end of the text on the edge, deepest first.
  virtual void ended(size_t edge, std::vector<uint32_t>& depths) const = 0;
};

/// The index of the edges, with starts of the rule `imported`. Its text is made up: the paths of the leaves, one after
/// the other, each with its first target; its vocabulary is one of plain ids. depth: 1 .. 253, at least that of every
/// edge. Throws ArgumentError if the text would have 2^31 tokens or more, and MemoryCapError.
TrieIndex index_of_edges(const EdgeSource& edges, const ReferenceSource& source, int depth, CorpusEnd corpus_end);

}  // namespace agpt
