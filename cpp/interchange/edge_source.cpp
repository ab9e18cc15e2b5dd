#include "cpp/interchange/edge_source.h"

#include <algorithm>

#include "cpp/base/error.h"
#include "cpp/corpus/split.h"
#include "cpp/interchange/children_table.h"
#include "cpp/trie/index_assembly.h"

namespace agpt {
namespace {

template <class Id>
class Assembler {
 public:
  Assembler(const EdgeSource& edges, int depth)
      : edges_(edges),
        depth_(depth),
        children_(
            edges.n_edges(), [&](size_t edge) { return edges.parent(edge); },
            [&](size_t edge) { return edges.first_token(edge); }),
        part_(depth) {}

  TrieIndex make(const ReferenceSource& source, CorpusEnd corpus_end) {
    sort_in_pre_order();
    write_text();
    size_.assign(edges_.n_edges() + 1, 1);
    for (size_t i = order_.size(); i-- > 0;) add_node(order_[i]);  // reverse pre-order, as parts are
    part_.leaf_start = leaf_start_;
    IndexOptions options;
    options.depth = depth_;
    options.corpus_end = corpus_end;
    options.starts = {.rule = Starts::Rule::imported, .count = source.n_tokens};
    const CorpusSplit split{std::move(text_), {}};
    const Vocabulary vocabulary = Vocabulary::of_tokens(source.vocabulary_size, false);
    const IndexSource index_source{split, vocabulary, options, n_starts_, source.token_hash};
    ThreadPool pool(1);
    std::vector<PartImage> parts;
    parts.push_back(PartImage::copy(part_));
    return {IndexAssembly<Id>(index_source, std::move(parts), pool).to_memory(nullptr), "the index"};
  }

 private:
  void sort_in_pre_order() {
    order_.reserve(edges_.n_edges());
    std::vector<uint32_t> open;
    const auto push_children = [&](size_t edge) {
      const std::span<const uint32_t> children = children_.of(edge);
      open.insert(open.end(), children.rbegin(), children.rend());
    };
    for (push_children(0); !open.empty();) {
      order_.push_back(open.back());
      open.pop_back();
      push_children(order_.back());
    }
  }

  bool is_leaf(size_t edge) const { return children_.of(edge).empty(); }

  void write_text() {
    Index n_tokens = 0;
    for (const uint32_t edge : order_)
      if (is_leaf(edge)) n_tokens += edges_.depth(edge) + 1;
    AGPT_REQUIRE(n_tokens < kMaxTokens, "the paths of the leaves have " + std::to_string(n_tokens) +
                                            " tokens in all, but an index holds fewer than 2^31");
    text_ = TokenArray(n_tokens, sizeof(Id));
    std::vector<Token> path(static_cast<size_t>(depth_) + 1), tokens;
    Index at = 0;
    for (const uint32_t edge : order_) {
      edges_.tokens(edge, tokens);
      const int depth = edges_.depth(edge);
      std::copy(tokens.begin(), tokens.end(), path.begin() + (depth - static_cast<int>(tokens.size())));
      if (!is_leaf(edge)) continue;
      edges_.targets(edge, targets_);
      leaf_start_.push_back(static_cast<uint32_t>(at));
      for (int k = 0; k < depth; ++k) text_.set(at++, path[static_cast<size_t>(k)]);
      text_.set(at++, targets_.front().token);
    }
  }

  void add_node(uint32_t edge) {
    const uint32_t parent = edges_.parent(edge), number = part_.n_nodes();
    const auto parent_depth = static_cast<uint32_t>(edges_.depth(parent)),
               depth = static_cast<uint32_t>(edges_.depth(edge));
    edges_.targets(edge, targets_);
    edges_.ended(edge, ended_);
    uint32_t mass = 0;
    for (const TokenCount& target : targets_) mass += target.count;
    if (is_leaf(edge)) {
      add_leaf(depth, mass);
    } else {
      part_.size.push(size_[edge]);
      part_.mass.push(mass);
      add_childless(edge);
    }
    for (const uint32_t at : ended_) {
      part_.ended_node.push_back(number);
      part_.ended_depth.push_back(static_cast<uint8_t>(at));
    }
    part_.totals.add_edge(parent_depth, depth, mass);
    part_.totals.add_ended(parent_depth, depth, mass, ended_);
    part_.n_entries += targets_.size();
    part_.parent_depth.push_back(static_cast<uint8_t>(parent_depth));
    part_.label.push_back(static_cast<Id>(edges_.first_token(edge)));
    size_[parent] += size_[edge];
    if (parent == 0)
      n_starts_ += mass + std::count_if(ended_.begin(), ended_.end(), [](uint32_t at) { return at > 1; });
  }

  void add_leaf(uint32_t depth, uint32_t mass) {
    const auto number = part_.n_nodes();
    const bool is_short = depth < static_cast<uint32_t>(depth_);
    if (is_short) {
      part_.short_leaf_node.push_back(number);
      part_.short_leaf_depth.push_back(static_cast<uint8_t>(depth));
    }
    if (is_short && targets_.size() > 1) {
      for (size_t i = targets_.size(); i-- > 0;) push_childless(targets_[i]);
    } else if (mass > 1) {
      part_.heavy_leaf.push_back(n_leaves_);
      for (size_t i = targets_.size(); i-- > 0;) {
        part_.entry_token.push_back(static_cast<Id>(targets_[i].token));
        part_.entry_count.push(targets_[i].count);
      }
      part_.heavy_begin.push_back(static_cast<uint32_t>(part_.entry_token.size()));
    }
    ++n_leaves_;
  }

  // The targets of an interior node that no child begins with, last first.
  void add_childless(uint32_t edge) {
    const std::span<const uint32_t> children = children_.of(edge);
    size_t child = children.size();
    for (size_t i = targets_.size(); i-- > 0;) {
      if (child > 0 && edges_.first_token(children[child - 1]) == targets_[i].token) {
        --child;
      } else {
        push_childless(targets_[i]);
      }
    }
  }

  void push_childless(const TokenCount& target) {
    part_.childless_node.push_back(part_.n_nodes());
    part_.childless_token.push_back(static_cast<Id>(target.token));
    part_.childless_count.push(target.count);
  }

  const EdgeSource& edges_;
  const int depth_;
  const ChildrenTable children_;
  std::vector<uint32_t> order_, leaf_start_, size_;  // in pre-order; of leaves; nodes of a subtree, by edge
  TokenArray text_;
  TriePart<Id> part_;
  Index n_starts_ = 0;
  uint32_t n_leaves_ = 0;  // in part_
  // Of one node.
  std::vector<TokenCount> targets_;
  std::vector<uint32_t> ended_;
};

}  // namespace

TrieIndex index_of_edges(const EdgeSource& edges, const ReferenceSource& source, int depth, CorpusEnd corpus_end) {
  switch (token_bytes_for(source.vocabulary_size)) {
    case 1:
      return Assembler<uint8_t>(edges, depth).make(source, corpus_end);
    case 2:
      return Assembler<uint16_t>(edges, depth).make(source, corpus_end);
    default:
      return Assembler<uint32_t>(edges, depth).make(source, corpus_end);
  }
}

}  // namespace agpt
