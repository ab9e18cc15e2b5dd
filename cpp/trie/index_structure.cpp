#include "cpp/trie/index_structure.h"

#include <algorithm>
#include <vector>

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
  for (size_t i = 0; i < view.small.size(); ++i) {
    if (view.small[i] < 255) continue;
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

// One pass over the nodes in pre-order, with a stack of the interior nodes on the path and the next element of each
// sparse column.
class NodePass {
 public:
  NodePass(const IndexHeader& header, const IndexColumns& columns)
      : n_nodes_(header.n_nodes),
        n_leaves_(header.n_leaves),
        n_rows_(header.n_positions),
        depth_(header.depth),
        last_text_(header.n_tokens - 1),
        c_(columns) {}

  void run() {
    open_.push_back({0, 0, 0});
    for (uint64_t node = 0; node < n_nodes_; ++node) {
      if (node % 64 == 0) check_block(node);
      const uint32_t parent_depth = c_.parent_depth[node];
      while (open_.back().depth > parent_depth) close(node);
      require(open_.back().depth == parent_depth, "node ", node, " hangs at depth ", parent_depth,
              ", where no node above it ends");
      add(node, parent_depth);
      while (childless_ < c_.childless_node.size() && c_.childless_node[childless_] == node) ++childless_;
    }
    require(c_.parent_depth[n_nodes_] == 0, "the column of parent depths does not end with 0");
    while (open_.size() > 1) close(n_nodes_);
    check_ends();
  }

 private:
  struct OpenNode {
    uint32_t depth;
    uint64_t node, interior;
  };

  void add(uint64_t node, uint32_t parent_depth) {
    uint32_t depth = c_.parent_depth[node + 1];
    if (depth > parent_depth) {
      require(depth < depth_, "the interior node ", node, " ends at depth ", depth, " of ", depth_);
      require(n_interior_ < n_nodes_ - n_leaves_, "there are more interior nodes than the header says");
      open_.push_back({depth, node, n_interior_++});
    } else {
      depth = leaf_depth(node, parent_depth);
      bits_ |= uint64_t{1} << (node % 64);
      require(leaf_ < n_leaves_, "there are more leaves than the header says");
      require(c_.leaf_start[leaf_] <= last_text_ && depth <= last_text_ - c_.leaf_start[leaf_], "the path of leaf ",
              leaf_, " runs out of the text");
      ++leaf_;
    }
    for (; ended_ < c_.ended_node.size() && c_.ended_node[ended_] == node; ++ended_)
      require(c_.ended_depth[ended_] > parent_depth && c_.ended_depth[ended_] <= depth, "a start ends at depth ",
              c_.ended_depth[ended_], ", but not on the edge of node ", node);
    row_ += depth - parent_depth;
  }

  uint32_t leaf_depth(uint64_t node, uint32_t parent_depth) {
    if (short_leaf_ == c_.short_leaf_node.size() || c_.short_leaf_node[short_leaf_] != node) return depth_;
    const uint32_t depth = c_.short_leaf_depth[short_leaf_++];
    require(depth > parent_depth && depth < depth_, "the short leaf ", node, " ends at depth ", depth);
    return depth;
  }

  void close(uint64_t end) {
    const OpenNode node = open_.back();
    open_.pop_back();
    const uint64_t size = end - node.node, stored = c_.size[static_cast<Index>(node.interior)];
    require(stored == size, "the subtree of node ", node.node, " has ", size, " nodes, but ", stored, " are stated");
  }

  // Compares the block that ends before `node` and begins the next.
  void check_block(uint64_t node) {
    finish_block(node);
    const IndexBlock& block = c_.blocks[node / 64];
    require(block.first_row == row_ && block.first_leaf == leaf_ && block.padding == 0, "block ", node / 64,
            " begins with row ", row_, " and leaf ", leaf_, ", but says something else");
    bits_ = 0;
  }
  void finish_block(uint64_t end) const {
    if (end == 0) return;
    const uint64_t block = (end - 1) / 64;
    require(c_.blocks[block].leaf_bits == bits_, "block ", block, " does not tell its leaves from interior nodes");
  }

  void check_ends() {
    if (n_nodes_ % 64 == 0) {
      check_block(n_nodes_);  // an empty one ends the column
      require(c_.blocks.back().leaf_bits == 0, "the last block has leaves beyond the last node");
    } else {
      finish_block(n_nodes_);
    }
    require(leaf_ == n_leaves_, "there are ", leaf_, " leaves, but the header says ", n_leaves_);
    require(row_ == n_rows_, "there are ", row_, " rows, but the header says ", n_rows_);
    require(short_leaf_ == c_.short_leaf_node.size(), "short leaf ", short_leaf_, " is out of order or no leaf");
    require(childless_ == c_.childless_node.size(), "childless target ", childless_, " is out of order");
    require(ended_ == c_.ended_node.size(), "ended start ", ended_, " is out of order");
  }

  const uint64_t n_nodes_, n_leaves_, n_rows_;
  const uint32_t depth_;
  const uint64_t last_text_;  // a path is followed by something: it ends before the last token
  const IndexColumns& c_;
  std::vector<OpenNode> open_;  // the first is the root
  uint64_t row_ = 0, leaf_ = 0, n_interior_ = 0, bits_ = 0;
  size_t short_leaf_ = 0, childless_ = 0, ended_ = 0;
};

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
    NodePass(header, columns).run();
  } catch (const Fault& fault) {
    return fault.text;
  }
  return std::nullopt;
}

}  // namespace agpt
