#include "cpp/trie/index_structure.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>

namespace agpt {
namespace {

struct Fault {
  std::string text;
};

// Composes the sentence only when it is needed.
template <class... Piece>
void require(bool condition, const Piece&... pieces) {
  if (condition) return;
  const auto to_text = []<class T>(const T& piece) {
    if constexpr (std::is_arithmetic_v<T>) {
      return std::to_string(piece);
    } else {
      return std::string(piece);
    }
  };
  throw Fault{(to_text(pieces) + ...)};
}

void check_gaps(const IndexHeader& header, std::span<const std::byte> image) {
  uint64_t end = sizeof header;
  for (size_t c = 0; c < kColumns; ++c) {
    const auto gap = image.subspan(end, header.column_offset[c] - end);
    require(std::ranges::all_of(gap, [](std::byte b) { return b == std::byte{0}; }), "the gap before column ", c,
            " is not zero");
    end = header.column_offset[c] + header.column_bytes[c];
  }
}

void check_tokens(TokenView tokens, uint64_t vocabulary_size, const char* what) {
  tokens.visit([&]<class Id>(std::span<const Id> ids) {
    Id largest = 0;  // a maximum is vectorised, a search is not
    for (const Id id : ids) largest = std::max(largest, id);
    require(largest < vocabulary_size, what, " have the id ", largest, ", beyond the vocabulary of ", vocabulary_size);
  });
}

// Each 255 has its value in the list, each value is too large for a byte.
void check_overflow(const OverflowView& view, const char* what) {
  size_t n = 0;
  const uint8_t *const begin = view.small.data(), *const end = begin + view.small.size();
  for (const uint8_t* at = begin; at != end; ++at) {
    at = static_cast<const uint8_t*>(std::memchr(at, 255, static_cast<size_t>(end - at)));
    if (at == nullptr) break;
    const auto i = static_cast<size_t>(at - begin);
    require(n < view.at.size() && view.at[n] == i && view.value[n] >= 255, "element ", i, " of the ", what,
            " has no large value in its list");
    ++n;
  }
  require(n == view.at.size(), "the list of large ", what, " has ", view.at.size(), " elements, but ", n, " are used");
}

void check_heavy_leaves(const IndexHeader& header, const IndexColumns& columns) {
  const auto& leaf = columns.heavy_leaf;
  const auto& begin = columns.heavy_begin;
  require(begin.front() == 0 && begin.back() == static_cast<uint64_t>(columns.entry_token.size()),
          "the targets of heavy leaves do not fill their column");
  for (size_t i = 0; i < leaf.size(); ++i) {
    require(leaf[i] < header.n_leaves && (i == 0 || leaf[i - 1] < leaf[i]), "heavy leaf ", i, " is out of order");
    require(begin[i] < begin[i + 1], "heavy leaf ", i, " has no targets");
  }
}

void check_order(std::span<const uint32_t> numbers, uint64_t end, const char* what) {
  require(std::ranges::is_sorted(numbers) && (numbers.empty() || numbers.back() < end), what, " are out of order");
}

constexpr uint32_t kNoDepth = 255;  // more than any depth
static_assert(kMaxDepth < kNoDepth);

// A set of depths below 64 * Words.
template <size_t Words>
class DepthSet {
 public:
  void insert(uint32_t depth) { words_[depth / 64] |= uint64_t{1} << depth % 64; }
  bool contains(uint32_t depth) const { return words_[depth / 64] >> depth % 64 & 1; }
  void remove_above(uint32_t depth) {
    for (size_t w = 0; w < Words; ++w) {
      const uint64_t up_to_depth = (uint64_t{2} << depth % 64) - 1;
      words_[w] &= depth / 64 == w ? up_to_depth : depth / 64 > w ? ~uint64_t{0} : 0;
    }
  }

 private:
  std::array<uint64_t, Words> words_{};
};

// One pass over the nodes in pre-order, block by block. Files are checked whenever they are opened, so the loop over the
// nodes has no branch that depends on them: a processor guesses those wrong, and the pass took nearly twice as long.
//
// A node must hang at a depth where an interior node on its path ends: the set `open_` holds the depths of these. Subtree
// sizes need no stack either. A stated size is at least the true one if the node behind it hangs higher than the end of
// the interior node; and the true sizes sum to the number of pairs of a node and an interior node above it or itself. So if the
// stated sizes have that sum, each is the true one.
template <size_t Words>
class NodePass {
 public:
  NodePass(const IndexHeader& header, const IndexColumns& columns)
      : n_nodes_(header.n_nodes),
        n_leaves_(header.n_leaves),
        depth_(header.depth),
        last_text_(static_cast<int64_t>(header.n_tokens) - 1),
        c_(columns) {}

  void run(uint64_t n_rows) {
    open_.insert(0);  // the root
    for (const uint32_t start : c_.leaf_start) n_beyond_ += start > last_text_ - depth_;
    for (uint64_t begin = 0; begin < n_nodes_; begin += 64) check_block(begin, std::min(begin + 64, n_nodes_));
    if (n_nodes_ % 64 == 0) check_block(n_nodes_, n_nodes_);  // an empty one ends the column
    require(c_.parent_depth[n_nodes_] == 0, "the column of parent depths does not end with 0");
    require(leaf_ == n_leaves_, "there are ", leaf_, " leaves, but the header says ", n_leaves_);
    require(row_ == n_rows, "there are ", row_, " rows, but the header says ", n_rows);
    require(sum_of_sizes_ == sum_of_stated_sizes_, "a subtree has fewer nodes than stated");
    require(n_beyond_ == 0, "the path of a leaf runs out of the text");
  }

 private:
  void check_block(uint64_t begin, uint64_t end) {
    const IndexBlock& block = c_.blocks[begin / 64];
    require(block.first_row == row_ && block.first_leaf == leaf_ && block.padding == 0, "block ", begin / 64,
            " begins with row ", row_, " and leaf ", leaf_, ", but says something else");
    const uint64_t leaf_bits = read_nodes(begin, end);
    require(block.leaf_bits == leaf_bits, "block ", begin / 64, " does not tell its leaves from interior nodes");
    const auto n_leaves = static_cast<uint64_t>(std::popcount(leaf_bits));
    require(n_leaves <= n_leaves_ - leaf_, "there are more leaves than the header says");
    check_interior(begin, ~leaf_bits & (end - begin == 64 ? ~uint64_t{0} : (uint64_t{1} << (end - begin)) - 1));
    check_short_leaves(begin, end, leaf_bits);
    check_ended(end, leaf_bits);
    leaf_ += n_leaves;
  }

  // Returns which nodes are leaves, as bits.
  uint64_t read_nodes(uint64_t begin, uint64_t end) {
    DepthSet<Words> open = open_;  // in registers
    uint64_t leaf_bits = 0, row = row_, nested = 0;
    bool all_hang = true;
    for (uint64_t node = begin; node < end; ++node) {
      const uint32_t parent_depth = c_.parent_depth[node], below = c_.parent_depth[node + 1];
      const bool is_interior = below > parent_depth;  // the next node is a child
      open.remove_above(parent_depth);
      all_hang &= open.contains(parent_depth);
      open.insert(is_interior ? below : 0);
      const uint8_t n_above = n_above_[parent_depth];
      n_above_[is_interior ? below : kNoDepth] = static_cast<uint8_t>(n_above + 1);
      nested += n_above + uint64_t{is_interior};
      leaf_bits |= uint64_t{!is_interior} << (node - begin);
      row += (is_interior ? below : depth_) - parent_depth;
    }
    require(all_hang, "in block ", begin / 64, " a node hangs at a depth where no node above it ends");
    open_ = open;
    row_ = row;
    sum_of_sizes_ += nested;
    return leaf_bits;
  }

  void check_interior(uint64_t begin, uint64_t interior_bits) {
    require(n_interior_ + static_cast<uint64_t>(std::popcount(interior_bits)) <= n_nodes_ - n_leaves_,
            "there are more interior nodes than the header says");
    for (; interior_bits != 0; interior_bits &= interior_bits - 1) {
      const uint64_t node = begin + static_cast<uint64_t>(std::countr_zero(interior_bits));
      const uint64_t size = c_.size[static_cast<Index>(n_interior_++)];
      require(size >= 2 && size <= n_nodes_ - node && c_.parent_depth[node + size] < c_.parent_depth[node + 1],
              "the subtree of node ", node, " has more or fewer nodes than the ", size, " stated");
      sum_of_stated_sizes_ += size;
    }
  }

  void check_short_leaves(uint64_t begin, uint64_t end, uint64_t leaf_bits) {
    for (; short_leaf_ < c_.short_leaf_node.size() && c_.short_leaf_node[short_leaf_] < end; ++short_leaf_) {
      const uint64_t node = c_.short_leaf_node[short_leaf_];
      const uint32_t depth = c_.short_leaf_depth[short_leaf_];
      require(leaf_bits >> (node - begin) & 1, "node ", node, " is listed as a short leaf, but is an interior node");
      require(short_leaf_ == 0 || c_.short_leaf_node[short_leaf_ - 1] < node, "the short leaf ", node,
              " is listed twice");
      require(depth > c_.parent_depth[node] && depth < depth_, "the short leaf ", node, " ends at depth ", depth);
      row_ -= depth_ - depth;
      const uint64_t below = leaf_bits & ((uint64_t{1} << (node - begin)) - 1);
      const int64_t start = c_.leaf_start[leaf_ + static_cast<uint64_t>(std::popcount(below))];
      require(start <= last_text_ - depth, "the path of the short leaf ", node, " runs out of the text");
      n_beyond_ -= start > last_text_ - depth_;
    }
  }

  void check_ended(uint64_t end, uint64_t leaf_bits) {
    for (; ended_ < c_.ended_node.size() && c_.ended_node[ended_] < end; ++ended_) {
      const uint32_t node = c_.ended_node[ended_];
      uint32_t depth = c_.parent_depth[size_t{node} + 1];
      if (leaf_bits >> node % 64 & 1) {
        const auto at = std::ranges::lower_bound(c_.short_leaf_node, node);
        const bool is_short = at != c_.short_leaf_node.end() && *at == node;
        depth = is_short ? c_.short_leaf_depth[static_cast<size_t>(at - c_.short_leaf_node.begin())] : depth_;
      }
      require(c_.ended_depth[ended_] > c_.parent_depth[node] && c_.ended_depth[ended_] <= depth,
              "a start ends at depth ", c_.ended_depth[ended_], ", but not on the edge of node ", node);
    }
  }

  const uint64_t n_nodes_, n_leaves_;
  const uint32_t depth_;
  const int64_t last_text_;  // a path is followed by something: it ends before the last token
  const IndexColumns& c_;
  DepthSet<Words> open_;
  std::array<uint8_t, kNoDepth + 1> n_above_{};  // of the children of the open node of each depth: interior nodes above
  uint64_t row_ = 0, leaf_ = 0, n_interior_ = 0, sum_of_sizes_ = 0, sum_of_stated_sizes_ = 0;
  uint64_t n_beyond_ = 0;  // leaves that start too late for a path of full depth, less the short ones among them
  size_t short_leaf_ = 0, ended_ = 0;
};

void check_nodes(const IndexHeader& header, const IndexColumns& columns) {
  uint8_t deepest = 0;
  for (const uint8_t depth : columns.parent_depth) deepest = std::max(deepest, depth);
  require(deepest < header.depth, "a node hangs at depth ", deepest, " of ", header.depth);
  check_order(columns.short_leaf_node, header.n_nodes, "the short leaves");
  check_order(columns.childless_node, header.n_nodes, "the nodes of childless targets");
  check_order(columns.ended_node, header.n_nodes, "the nodes where starts end");
  if (header.depth <= 64) {
    NodePass<1>(header, columns).run(header.n_positions);
  } else {
    NodePass<4>(header, columns).run(header.n_positions);
  }
}

}  // namespace

std::optional<std::string> find_structure_fault(const IndexHeader& header, const IndexColumns& columns,
                                                std::span<const std::byte> image) {
  try {
    check_gaps(header, image);
    check_tokens(columns.tokens, header.vocabulary_size, "the training tokens");
    check_tokens(columns.held_out, header.vocabulary_size, "the held-out tokens");
    check_tokens(columns.label, header.vocabulary_size, "the labels");
    check_tokens(columns.entry_token, header.vocabulary_size, "the targets of heavy leaves");
    check_tokens(columns.childless_token, header.vocabulary_size, "the childless targets");
    check_overflow(columns.size, "subtree sizes");
    check_overflow(columns.mass, "masses");
    check_overflow(columns.entry_count, "counts of heavy leaves");
    check_overflow(columns.childless_count, "counts of childless targets");
    check_heavy_leaves(header, columns);
    check_nodes(header, columns);
  } catch (const Fault& fault) {
    return fault.text;
  }
  return std::nullopt;
}

}  // namespace agpt
