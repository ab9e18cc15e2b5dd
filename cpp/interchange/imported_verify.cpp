#include "cpp/interchange/imported_verify.h"

#include <algorithm>

#include "cpp/interchange/edge_source.h"
#include "cpp/trie/trie_verify.h"
#include "cpp/trie/trie_walk.h"

namespace agpt {
namespace {

// The nodes of an index, numbered from 1 in pre-order.
class IndexEdges : public EdgeSource {
 public:
  explicit IndexEdges(const TrieIndex& index) : index_(index), parent_{0}, depth_{0} {
    std::vector<uint32_t> open{0};
    TrieWalk walk(index, 0);
    for (TrieEdge edge; walk.next(edge);) {
      while (depth_[open.back()] > edge.parent_depth) open.pop_back();
      parent_.push_back(open.back());
      depth_.push_back(static_cast<uint8_t>(edge.depth));
      open.push_back(static_cast<uint32_t>(parent_.size() - 1));
    }
  }

  size_t n_edges() const override { return parent_.size() - 1; }
  uint32_t parent(size_t edge) const override { return parent_[edge]; }
  int depth(size_t edge) const override { return depth_[edge]; }
  Token first_token(size_t edge) const override { return index_.columns().label[node(edge)]; }
  void tokens(size_t edge, std::vector<Token>& tokens) const override {
    tokens.clear();
    for (int k = depth_[parent_[edge]]; k < depth_[edge]; ++k)
      tokens.push_back(index_.token(index_.text(node(edge)) + k));
  }
  void targets(size_t edge, std::vector<TokenCount>& targets) const override { index_.targets(node(edge), targets); }
  void ended(size_t edge, std::vector<uint32_t>& depths) const override {
    const std::span<const uint32_t> nodes = index_.columns().ended_node;
    const auto [first, last] = std::equal_range(nodes.begin(), nodes.end(), static_cast<uint32_t>(node(edge)));
    depths.clear();
    for (auto at = last; at != first; --at)
      depths.push_back(index_.columns().ended_depth[static_cast<size_t>(at - nodes.begin()) - 1]);
  }

 private:
  static Index node(size_t edge) { return static_cast<Index>(edge) - 1; }

  const TrieIndex& index_;
  std::vector<uint32_t> parent_;
  std::vector<uint8_t> depth_;
};

}  // namespace

std::vector<std::string> verify_imported_index(const TrieIndex& index) {
  std::vector<std::string> violations = verify_trie_index(index);
  if (!violations.empty()) return violations;
  const ReferenceSource source{index.options().starts.count, index.vocabulary_size(), index.token_hash()};
  const TrieIndex again = index_of_edges(IndexEdges(index), source, index.depth(), index.options().corpus_end);
  for (size_t c = 0; c < kColumns; ++c) {
    const auto column = [&](const TrieIndex& of) {
      return of.bytes().subspan(of.header().column_offset[c], of.header().column_bytes[c]);
    };
    if (!std::ranges::equal(column(index), column(again)))
      violations.push_back("the column " + std::string(column_name(static_cast<Column>(c))) +
                           " is not what the nodes of the index give");
  }
  if (violations.empty() && !std::ranges::equal(index.bytes(), again.bytes()))
    violations.push_back("the header is not what the nodes of the index give");
  return violations;
}

}  // namespace agpt
