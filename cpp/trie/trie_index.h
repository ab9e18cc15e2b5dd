// The depth-capped prefix trie of a corpus, compressed to its branching points, in the bytes of one file: built in
// memory or mapped from disk, never changed.
//
// A row (or position) is a distinct path of 1 .. depth tokens that occurs from one of the starts and is followed by
// something. Rows are numbered in pre-order, siblings in token order. A node is an endpoint: a row where paths part or
// end; the rows on the way to it from the node above are its edge, and have one target each. Nodes are numbered in
// pre-order too.
#pragma once

#include <bit>
#include <span>
#include <string>
#include <vector>

#include "cpp/base/byte_image.h"
#include "cpp/base/types.h"
#include "cpp/corpus/token_view.h"
#include "cpp/corpus/vocabulary.h"
#include "cpp/trie/index_layout.h"
#include "cpp/trie/index_options.h"
#include "cpp/trie/token_count.h"

namespace agpt {

class TrieIndex {
 public:
  /// Maps an index file. Throws FormatError for a file that is foreign, truncated, incomplete, damaged or of another
  /// version, and for one whose columns contradict each other: no use of an index that opens leaves the file. Of a file
  /// larger than 64 MiB only the header is read here: verify_trie_index() checks the rest.
  static TrieIndex open(const std::string& path);
  /// The same for the bytes of a file; `name` says in errors where they are from.
  static TrieIndex read(ByteImage image, const std::string& name);
  /// Takes bytes that were just built: the checksum of their content is not looked at.
  TrieIndex(ByteImage image, const std::string& name);
  /// Writes the file under a temporary name beside `path`, and renames it when it is safe on disk. Throws FormatError.
  void save(const std::string& path) const;

  int depth() const { return static_cast<int>(header_.depth); }
  /// Endpoints.
  Index n_nodes() const { return static_cast<Index>(header_.n_nodes); }
  /// Rows.
  Index n_positions() const { return static_cast<Index>(header_.n_positions); }
  /// Pairs of an endpoint and a token that follows it.
  Index n_entries() const { return static_cast<Index>(header_.n_entries); }
  /// Sum of the masses of all rows.
  double total_mass() const { return static_cast<double>(header_.total_mass); }
  /// Starts that the trie was built from.
  Index n_starts() const { return static_cast<Index>(header_.n_starts); }

  /// The training text, as the trie reads it (backwards if reversed).
  TokenView tokens() const { return columns_.tokens; }
  Index n_tokens() const { return columns_.tokens.size(); }
  Token token(Index i) const { return columns_.tokens[i]; }
  /// Whether tokens() is the text that the trie was built from. That of an imported index is made up of its paths.
  bool has_text() const { return options_.starts.rule != Starts::Rule::imported; }
  /// Throws ArgumentError, saying that `purpose` needs the text, unless has_text().
  void require_text(const std::string& purpose) const;
  /// The text that the trie has not seen; backwards too if reversed.
  TokenView held_out() const { return columns_.held_out; }

  const Vocabulary& vocabulary() const { return vocabulary_; }
  Index vocabulary_size() const { return vocabulary_.size(); }
  bool has_documents() const { return vocabulary_.boundary().has_value(); }
  /// What the index was built with.
  const IndexOptions& options() const { return options_; }
  /// Hash of the training tokens, those of the text that an imported index was made from included.
  uint64_t token_hash() const { return header_.token_hash; }

  /// The node whose edge holds that row.
  Index node_of_row(Index row) const;
  /// Row of the first token of the node's edge; n_positions() for node = n_nodes().
  Index first_row(Index node) const;
  /// One past the last node of the subtree. Its rows end at first_row() of that.
  Index subtree_end(Index node) const {
    return is_leaf(node) ? node + 1 : node + static_cast<Index>(columns_.size[node - leaf_rank(node)]);
  }
  bool is_leaf(Index node) const { return block(node).leaf_bits >> (node % 64) & 1; }
  int parent_depth(Index node) const { return columns_.parent_depth[static_cast<size_t>(node)]; }
  int depth(Index node) const;
  /// The number of a leaf in the column heavy_leaf; -1 if it is not there.
  Index heavy_leaf_number(Index node) const;
  /// Where the path of the node begins in tokens().
  Index text(Index node) const { return columns_.leaf_start[static_cast<size_t>(leaf_rank(node))]; }
  /// Where the paths of the leaves of the subtree begin in tokens().
  std::span<const uint32_t> leaf_starts(Index node) const;
  /// How many starts run through the endpoint and are followed by something.
  uint32_t mass(Index node) const;
  /// The mass of the row at `depth` on the node's edge, parent_depth < depth <= depth(node).
  uint32_t row_mass(Index node, int depth) const;
  /// Replaces `targets` by what follows the endpoint, in token order.
  void targets(Index node, std::vector<TokenCount>& targets) const;

  /// A row found by its path: its depth, and the node whose edge holds it. Nothing found: depth 0 and node -1.
  struct Place {
    Index node;
    int depth;
  };
  /// The longest leading part of `path` that is a row.
  Place locate(std::span<const Token> path) const;
  /// Replaces `targets` by what follows the row, in token order; for depth 0 by the first tokens of starts.
  void targets_at(Place place, std::vector<TokenCount>& targets) const;
  /// How many starts run through this path and are followed by something; n_starts() for the empty path.
  Index count(std::span<const Token> path) const;
  /// What follows the path, in token order; empty if it is no row. The counts sum to count(path), except that a pruned
  /// index or the rule `reference` may count fewer for the empty path.
  std::vector<TokenCount> next_counts(std::span<const Token> path) const;
  /// How many leading tokens of `path` form a row.
  int longest_match(std::span<const Token> path) const;

  const IndexHeader& header() const { return header_; }
  const IndexColumns& columns() const { return columns_; }
  std::span<const std::byte> bytes() const { return image_.bytes(); }

 private:
  friend class TrieWalk;
  struct LeafMatch {  // the first leaf whose path is not before a path, and how many tokens they or it and the
    Index leaf;       // leaf before share
    int match;
  };

  const IndexBlock& block(Index node) const { return columns_.blocks[static_cast<size_t>(node / 64)]; }
  // Leaves before the node.
  Index leaf_rank(Index node) const {
    const IndexBlock& b = block(node);
    return b.first_leaf + std::popcount(b.leaf_bits & ((uint64_t{1} << (node % 64)) - 1));
  }
  Index node_of_leaf(Index leaf) const;
  int leaf_depth(Index node) const;
  LeafMatch first_leaf_from(std::span<const Token> path) const;
  Index node_at(Index first_leaf, int depth) const;
  // Appends the children of an interior node, merged with the elements [begin, end) of the childless targets.
  void interior_targets(Index node, size_t begin, size_t end, std::vector<TokenCount>& targets) const;
  void leaf_targets(Index node, std::vector<TokenCount>& targets) const;

  ByteImage image_;
  IndexHeader header_;
  IndexColumns columns_;
  Vocabulary vocabulary_;
  IndexOptions options_;
};

}  // namespace agpt
