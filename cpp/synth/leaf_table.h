// The paths of a trie at whose ends a walk wraps around, as it reads them: the literal text of each, its last edge, and
// what follows it, in one record.
#pragma once

#include <vector>

#include "cpp/base/memory.h"
#include "cpp/trie/trie_index.h"
#include "cpp/trie/trie_walk.h"

namespace agpt {

/// A path that ends in a leaf: tokens text .. text + depth - 1, the last edge from text + parent_depth on.
struct Leaf {
  uint32_t text;
  uint32_t mass;
  uint32_t followers;  // where LeafTable::followers() begins, or kOneFollower
  uint8_t depth, parent_depth;
  bool is_single;  // the first row of the last edge has mass 1
};
static_assert(sizeof(Leaf) == 16, "four to a cache line");

class LeafTable {
 public:
  static constexpr uint32_t kOneFollower = ~uint32_t{0};

  enum class Ends {
    leaves,             ///< the leaves
    leaves_and_targets  ///< also nodes with targets that no child stands for, followed by those: ends of documents
  };

  /// In token order of the paths. Throws ArgumentError for an index without paths, and MemoryCapError.
  LeafTable(const TrieIndex& index, Ends ends);

  uint32_t size() const { return static_cast<uint32_t>(leaves_.size()); }
  const Leaf& operator[](size_t leaf) const { return leaves_[leaf]; }

  /// What follows a path, in token order, from its `followers`; not for those marked kOneFollower: the text tells
  /// theirs.
  std::span<const TokenCount> followers(uint32_t list) const {
    return {followers_.data() + list + 1, followers_[list].count};  // the element before a list is about the list
  }
  /// Sum of the counts of a list of followers.
  uint32_t total_count(uint32_t list) const { return followers_[list].token; }
  /// Elements of all lists of followers.
  size_t n_followers() const { return followers_.size(); }
  /// The number of `follower`, an element of some list, among them.
  size_t number_of(const TokenCount& follower) const { return static_cast<size_t>(&follower - followers_.data()); }

 private:
  void add(const TrieEdge& edge, uint32_t mass, bool is_single, std::span<const TokenCount> followers);

  MemoryReservation reserved_;
  std::vector<Leaf> leaves_;
  std::vector<TokenCount> followers_;
};

}  // namespace agpt
