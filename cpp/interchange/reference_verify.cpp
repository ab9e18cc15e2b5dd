#include "cpp/interchange/reference_verify.h"

#include <algorithm>

#include "cpp/interchange/children_table.h"
#include "cpp/interchange/reference_format.h"
#include "cpp/interchange/violation_list.h"

namespace agpt {
namespace {

bool has_duplicate(const std::vector<TokenCount>& sorted) {
  return std::adjacent_find(sorted.begin(), sorted.end(), [](const TokenCount& a, const TokenCount& b) {
           return a.token == b.token;
         }) != sorted.end();
}

// The count of a token; 0 if it is no entry.
Index count_of(const std::vector<TokenCount>& sorted, Token token) {
  const auto found = std::lower_bound(sorted.begin(), sorted.end(), token,
                                      [](const TokenCount& entry, Token wanted) { return entry.token < wanted; });
  return found != sorted.end() && found->token == token ? found->count : 0;
}

class RadixVerifier {
 public:
  explicit RadixVerifier(const RadixTrie& trie)
      : trie_(trie),
        children_(
            trie.records.size(), [&](size_t id) { return record(id).parent(); },
            [&](size_t id) { return record(id).token(0); }) {}

  std::vector<std::string> run() {
    check_roots();
    for (size_t id = 1; id <= trie_.records.size(); ++id) check_record(id);
    check_totals();
    if (trie_.has_subtrees) check_subtrees();
    return list_.finish();
  }

 private:
  const RadixView& record(size_t id) const { return trie_.records[id - 1]; }

  void check_roots() {
    Index last_token = -1, mass = 0;
    for (const uint32_t id : children_.of(0)) {
      const Index token = record(id).token(0);
      list_.require(record(id).first_depth() == 1, "record ", id, ": an edge from the root begins at depth ",
                    record(id).first_depth());
      list_.require(token != last_token, "record ", id, ": another edge from the root begins with token ", token,
                    " too");
      last_token = token;
      mass += record(id).mass();
    }
    list_.require(mass <= trie_.source.n_tokens, "the masses of the root's edges sum to ", mass, ", but the text has ",
                  trie_.source.n_tokens, " tokens");
    n_lost_ = trie_.source.n_tokens - mass;
  }

  void check_record(size_t id) {
    const RadixView& node = record(id);
    const std::span<const uint32_t> children = children_.of(id);
    const bool is_cap = node.depth() == trie_.depth;
    const Index number = static_cast<Index>(id);
    node.entries().sort_by_token(entries_);
    const Index mass = node.entries().mass();
    list_.require(!has_duplicate(entries_), "record ", number, ": a token is an entry twice");
    list_.require(entries_.size() >= (is_cap ? 1u : 2u), "record ", number, ": it has ",
                  static_cast<Index>(entries_.size()), " entries, but its edge would go on");
    list_.require(children.empty() || !is_cap, "record ", number, ": it has children, but is at the largest depth");
    // A start may end at each depth of the edge.
    const Index n_ended = Index{node.mass()} - mass;
    list_.require(n_ended >= 0 && n_ended <= node.edge_tokens(), "record ", number, ": its mass is ",
                  Index{node.mass()}, ", but its entries sum to ", mass);
    if (is_cap) cap_mass_ += mass;
    edge_tokens_ += node.edge_tokens();
    deepest_ = std::max(deepest_, node.depth());
    check_children(number, node, children);
    if (is_cap) return;
    for (const TokenCount& entry : entries_) n_lost_ += entry.count;
  }

  void check_children(Index number, const RadixView& node, std::span<const uint32_t> children) {
    Index last_token = -1;
    for (const uint32_t id : children) {
      const RadixView& child = record(id);
      const Index token = child.token(0), count = count_of(entries_, child.token(0));
      list_.require(child.first_depth() == node.depth() + 1, "record ", id, ": its edge begins at depth ",
                    child.first_depth(), ", but its parent ", number, " ends at ", node.depth());
      list_.require(token != last_token, "record ", id, ": a sibling begins with token ", token, " too");
      list_.require(count > 0, "record ", id, ": its first token is no entry of its parent ", number);
      list_.require(count == 0 || count == child.mass() || count == child.mass() + Index{1}, "record ", id,
                    ": its mass is ", Index{child.mass()}, ", but its parent counts ", count);
      last_token = token;
      n_lost_ -= count;
    }
  }

  // n_lost_: starts that fall off at an entry without an edge, or at the root.
  void check_totals() {
    list_.require(edge_tokens_ == trie_.edge_tokens, "the edges have ", edge_tokens_, " tokens, meta.bin says ",
                  trie_.edge_tokens);
    list_.require(deepest_ == trie_.depth, "the deepest endpoint is at depth ", deepest_, ", meta.bin says ",
                  trie_.depth);
    const Index missing = trie_.source.n_tokens - trie_.depth - cap_mass_;
    list_.require(missing >= 0 || trie_.records.empty(), "the entries at the largest depth sum to ", cap_mass_,
                  ", but only ", trie_.source.n_tokens - trie_.depth, " starts reach that deep");
    list_.require(missing <= n_lost_, missing, " starts that should reach the largest depth do not, but only ", n_lost_,
                  " leave the trie before");
  }

  void check_subtrees() {
    std::vector<bool> seen(trie_.records.size() + 1);
    Index n_seen = 0;
    for (const SubtreeView& subtree : trie_.subtrees) {
      SubtreeView::Totals totals{0, 0, 0};
      uint32_t last_id = 0;
      for (const RadixView& copy : subtree.records) {
        ++totals.n_records;
        totals.edge_tokens += copy.edge_tokens();
        totals.deepest = std::max(totals.deepest, copy.depth());
        list_.require(copy.id() > last_id, "subtree ", subtree.key, ": record ", copy.id(), " is out of order");
        list_.require(!seen[copy.id()], "record ", copy.id(), " is in two subtrees");
        list_.require(std::equal(copy.begin(), copy.end(), record(copy.id()).begin(), record(copy.id()).end()),
                      "subtree ", subtree.key, ": record ", copy.id(), " differs from the one in its depth's file");
        last_id = copy.id();
        n_seen += !seen[copy.id()];
        seen[copy.id()] = true;
      }
      list_.require(subtree.in_header == totals && subtree.in_manifest == totals, "subtree ", subtree.key,
                    ": its totals are not those of its records");
    }
    list_.require(n_seen == static_cast<Index>(trie_.records.size()), "the subtrees hold ", n_seen, " of ",
                  static_cast<Index>(trie_.records.size()), " records");
  }

  const RadixTrie& trie_;
  const ChildrenTable children_;
  ViolationList list_;
  std::vector<TokenCount> entries_;  // of the record that is checked, by token
  Index edge_tokens_ = 0, cap_mass_ = 0, n_lost_ = 0;
  int deepest_ = 0;
};

class PathVerifier {
 public:
  explicit PathVerifier(const PathTrie& trie)
      : trie_(trie),
        children_(
            trie.nodes.size() - 1, [&](size_t id) { return trie.node(id).parent(); },
            [&](size_t id) { return trie.node(id).token(); }),
        mass_(static_cast<size_t>(trie.depth) + 1) {}

  std::vector<std::string> run() {
    for (size_t id = 0; id < trie_.nodes.size(); ++id) check_node(id);
    list_.require(trie_.max_depth < 0 || trie_.depth <= trie_.max_depth, "the deepest node is at depth ", trie_.depth,
                  ", but the largest depth is ", trie_.max_depth);
    if (trie_.max_starts < 0) check_masses();
    return list_.finish();
  }

 private:
  void check_node(size_t id) {
    const PathView node = trie_.node(id);
    const auto number = static_cast<Index>(id);
    node.entries().sort_by_token(entries_);
    list_.require(!has_duplicate(entries_), "node ", number, ": a token is an entry twice");
    mass_[static_cast<size_t>(node.depth())] += node.entries().mass();
    list_.require(id > 0 || entries_.empty(), "the root has entries");
    Index last_token = -1;
    for (const uint32_t child : children_.of(id)) {
      const Index token = trie_.node(child).token(), mass = trie_.node(child).entries().mass();
      list_.require(token != last_token, "node ", child, ": a sibling has token ", token, " too");
      last_token = token;
      if (id == 0) continue;
      const Index count = count_of(entries_, static_cast<Token>(token));
      list_.require(count > 0, "node ", child, ": its token is no entry of its parent ", number);
      list_.require(count == 0 || count == mass || count == mass + 1, "node ", child, ": its entries sum to ", mass,
                    ", but its parent counts ", count);
    }
  }

  // Every start but the last few has a path of each depth.
  void check_masses() {
    for (int depth = 1; depth <= trie_.depth; ++depth)
      list_.require(mass_[static_cast<size_t>(depth)] == trie_.source.n_tokens - depth, "the entries at depth ", depth,
                    " sum to ", mass_[static_cast<size_t>(depth)], ", but ", trie_.source.n_tokens - depth,
                    " starts reach that deep");
  }

  const PathTrie& trie_;
  const ChildrenTable children_;
  ViolationList list_;
  std::vector<TokenCount> entries_;  // of the node that is checked, by token
  std::vector<Index> mass_;          // by depth
};

}  // namespace

std::vector<std::string> verify_radix_trie(const RadixTrie& trie) { return RadixVerifier(trie).run(); }

std::vector<std::string> verify_path_trie(const PathTrie& trie) { return PathVerifier(trie).run(); }

}  // namespace agpt
