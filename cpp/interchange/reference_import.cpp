#include "cpp/interchange/reference_import.h"

#include <algorithm>

#include "cpp/interchange/children_table.h"
#include "cpp/interchange/edge_source.h"
#include "cpp/interchange/reference_format.h"
#include "cpp/interchange/reference_verify.h"

namespace agpt {
namespace {

class RadixEdges : public EdgeSource {
 public:
  explicit RadixEdges(const RadixTrie& trie) : trie_(trie) {}

  size_t n_edges() const override { return trie_.records.size(); }
  uint32_t parent(size_t edge) const override { return record(edge).parent(); }
  int depth(size_t edge) const override { return edge == 0 ? 0 : record(edge).depth(); }
  Token first_token(size_t edge) const override { return record(edge).token(0); }
  void tokens(size_t edge, std::vector<Token>& tokens) const override {
    tokens.clear();
    for (int k = 0; k < record(edge).edge_tokens(); ++k) tokens.push_back(record(edge).token(k));
  }
  void targets(size_t edge, std::vector<TokenCount>& targets) const override {
    record(edge).entries().sort_by_token(targets);
  }
  // What the parent counts more than the edge's mass has ended at its first token, the rest behind it.
  void ended(size_t edge, std::vector<uint32_t>& depths) const override {
    const RadixView node = record(edge);
    const Index n_inside = node.mass() - node.entries().mass();
    depths.clear();
    for (Index i = 0; i < n_inside; ++i) depths.push_back(static_cast<uint32_t>(node.depth() - i));
    if (node.parent() == 0) return;
    const EntriesView entries = record(node.parent()).entries();
    for (size_t i = 0; i < entries.size(); ++i)
      if (entries[i].token == node.token(0) && entries[i].count > node.mass())
        depths.push_back(static_cast<uint32_t>(node.first_depth()));
  }

 private:
  const RadixView& record(size_t edge) const { return trie_.records[edge - 1]; }
  const RadixTrie& trie_;
};

// The radix edges of a trie of paths. A path that is followed by nothing is no row.
class PathEdges : public EdgeSource {
 public:
  explicit PathEdges(const PathTrie& trie)
      : trie_(trie),
        children_(
            trie.nodes.size() - 1, [&](size_t id) { return trie.node(id).parent(); },
            [&](size_t id) { return trie.node(id).token(); }) {
    std::vector<Top> open;  // paths that edges begin with
    edges_.push_back({0, 0, 0});
    push_children({0, 0}, open);
    for (size_t i = 0; i < open.size(); ++i) {
      const Top top = open[i];
      uint32_t node = top.node;
      for (uint32_t next = only_child(node); next != 0; next = only_child(node)) node = next;
      edges_.push_back({top.parent, top.node, node});
      if (trie_.node(node).entries().size() > 1) push_children({static_cast<uint32_t>(edges_.size()) - 1, node}, open);
    }
  }

  size_t n_edges() const override { return edges_.size() - 1; }
  uint32_t parent(size_t edge) const override { return edges_[edge].parent; }
  int depth(size_t edge) const override { return trie_.node(edges_[edge].bottom).depth(); }
  Token first_token(size_t edge) const override { return trie_.node(edges_[edge].top).token(); }
  void tokens(size_t edge, std::vector<Token>& tokens) const override {
    tokens.clear();
    for_each_up(edge, [&](const PathView& node) { tokens.push_back(node.token()); });
    std::reverse(tokens.begin(), tokens.end());
  }
  void targets(size_t edge, std::vector<TokenCount>& targets) const override {
    trie_.node(edges_[edge].bottom).entries().sort_by_token(targets);
  }
  // Where a path's entries sum to less than its parent counts for it.
  void ended(size_t edge, std::vector<uint32_t>& depths) const override {
    depths.clear();
    for_each_up(edge, [&](const PathView& node) {
      if (node.parent() == 0) return;
      const EntriesView entries = trie_.node(node.parent()).entries();
      for (size_t i = 0; i < entries.size(); ++i)
        if (entries[i].token == node.token() && entries[i].count > node.entries().mass())
          depths.push_back(static_cast<uint32_t>(node.depth()));
    });
  }

 private:
  struct Top {
    uint32_t parent, node;
  };
  struct Edge {
    uint32_t parent, top, bottom;  // an edge; nodes
  };

  void push_children(const Top& parent, std::vector<Top>& open) const {
    for (const uint32_t child : children_.of(parent.node))
      if (trie_.node(child).entries().size() > 0) open.push_back({parent.parent, child});
  }
  // The node that alone follows; 0 if there are several, or none that is a row.
  uint32_t only_child(uint32_t id) const {
    if (trie_.node(id).entries().size() != 1 || children_.of(id).size() != 1) return 0;
    const uint32_t child = children_.of(id).front();
    return trie_.node(child).entries().size() > 0 ? child : 0;
  }
  template <class Visit>
  void for_each_up(size_t edge, Visit visit) const {
    const uint32_t above = trie_.node(edges_[edge].top).parent();
    for (uint32_t node = edges_[edge].bottom; node != above; node = trie_.node(node).parent()) visit(trie_.node(node));
  }

  const PathTrie& trie_;
  const ChildrenTable children_;
  std::vector<Edge> edges_;
};

void require_good(const ReferenceFiles& files, const std::vector<std::string>& violations, size_t n_edges, int depth) {
  const std::string name = files.name_of(files.has("") ? "" : kMetaFile);
  if (!violations.empty()) throw FormatError(name + " is inconsistent: " + violations.front());
  if (n_edges == 0) throw FormatError(name + " is of an empty trie: there is nothing to import");
  if (depth > kMaxDepth)
    throw FormatError(name + " is of a trie of depth " + std::to_string(depth) + ", but an index has at most " +
                      std::to_string(kMaxDepth));
}

}  // namespace

TrieIndex import_reference(const ReferenceFiles& files) {
  if (files.format() == ReferenceFormat::radix) {
    const RadixTrie trie = read_radix_trie(files);
    require_good(files, verify_radix_trie(trie), trie.records.size(), trie.depth);
    return index_of_edges(RadixEdges(trie), trie.source, trie.depth, CorpusEnd::reference);
  }
  const PathTrie trie = read_path_trie(files);
  require_good(files, verify_path_trie(trie), trie.nodes.size() - 1, trie.cap());
  return index_of_edges(PathEdges(trie), trie.source, trie.cap(), CorpusEnd::exact);
}

}  // namespace agpt
