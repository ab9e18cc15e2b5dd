#include "cpp/trie/trie_verify.h"

#include <algorithm>

#include "cpp/base/error.h"
#include "cpp/corpus/token_hash.h"
#include "cpp/trie/index_builder.h"
#include "cpp/trie/path_limits.h"
#include "cpp/trie/trie_walk.h"

namespace agpt {
namespace {

class Verifier {
 public:
  explicit Verifier(const TrieIndex& index)
      : index_(index), rows_(static_cast<size_t>(index.depth()) + 1), shared_(rows_), nodes_(rows_), mass_(rows_) {}

  std::vector<std::string> run() {
    if (content_checksum(index_.bytes()) != index_.header().content_checksum) {
      violations_.push_back("the checksum of the content is wrong: the file is damaged");
      return std::move(violations_);  // nothing else can be trusted, not even to stay inside the file
    }
    check_text();
    check_nodes();
    check_totals();
    check_starts();
    if (n_violations_ > kShown)
      violations_.push_back("and " + std::to_string(n_violations_ - kShown) + " more violations");
    return std::move(violations_);
  }

 private:
  static constexpr Index kShown = 20;

  // A node on the way from the root to the one that is checked.
  struct Ancestor {
    TrieEdge edge;
    Index subtree_end;
    std::vector<TokenCount> targets;
    size_t next_target = 0;  // the first that no child was seen for
    Index last_label = -1;
  };

  template <class... Piece>
  void require(bool condition, const Piece&... pieces) {
    if (condition) return;
    if (++n_violations_ > kShown) return;
    std::string sentence;
    (sentence.append(to_text(pieces)), ...);
    violations_.push_back(std::move(sentence));
  }
  static std::string to_text(const char* text) { return text; }
  static std::string to_text(Index number) { return std::to_string(number); }

  void check_text() {
    require(token_hash(index_.tokens()) == index_.token_hash(), "the hash of the training tokens is wrong");
    Index n_outside = 0;
    for (const TokenView& tokens : {index_.tokens(), index_.held_out()})
      for (Index i = 0; i < tokens.size(); ++i) n_outside += tokens[i] >= index_.vocabulary_size();
    require(n_outside == 0, n_outside, " tokens are outside the vocabulary");
  }

  void check_nodes() {
    TrieWalk walk(index_, 0);
    Index next_node = 0, next_row = 0;
    for (TrieEdge edge; walk.next(edge); ++next_node) {
      while (!path_.empty() && edge.node >= path_.back().subtree_end) leave();
      check_place(edge, next_row);
      check_shape(edge);
      check_path(edge);
      check_targets(edge, walk);
      count(edge, walk);
      next_row += edge.depth - edge.parent_depth;
    }
    while (!path_.empty()) leave();
    require(next_node == index_.n_nodes(), "a walk meets ", next_node, " nodes, the header says ", index_.n_nodes());
    require(next_row == index_.n_positions(), "a walk meets ", next_row, " rows, the header says ",
            index_.n_positions());
  }

  // Random access finds what the walk finds. Rows are looked up from the start of a block of 64 nodes: one in each will
  // do.
  void check_place(const TrieEdge& edge, Index row) {
    const Index node = edge.node;
    require(edge.first_row == row, "node ", node, ": its first row is ", row, ", but the walk says ", edge.first_row);
    require(index_.depth(node) == edge.depth && index_.text(node) == edge.text && index_.mass(node) == edge.mass,
            "node ", node, ": random access finds another depth, place or mass than a walk");
    if (node % 64 != 0) return;
    require(index_.first_row(node) == row, "node ", node, ": its first row is ", row, ", but the blocks say ",
            index_.first_row(node));
    require(index_.node_of_row(row) == node, "row ", row, " is on the edge of node ", node, ", but found on that of ",
            index_.node_of_row(row));
  }

  void check_shape(const TrieEdge& edge) {
    const Index node = edge.node, end = index_.subtree_end(node);
    const int parent_depth = path_.empty() ? 0 : path_.back().edge.depth;
    require(edge.parent_depth == parent_depth, "node ", node, ": its parent's depth is ", parent_depth, ", not ",
            edge.parent_depth);
    require(edge.depth > edge.parent_depth && edge.depth <= index_.depth(), "node ", node, ": an edge from depth ",
            edge.parent_depth, " to ", edge.depth, " is impossible");
    require(end > node && end <= (path_.empty() ? index_.n_nodes() : path_.back().subtree_end), "node ", node,
            ": its subtree reaches beyond that of its parent");
    require(index_.is_leaf(node) == (end == node + 1), "node ", node, ": a leaf must be a subtree of its own");
  }

  void check_path(const TrieEdge& edge) {
    require(edge.text + edge.depth < index_.n_tokens(), "node ", edge.node, ": its path is followed by nothing");
    const Token label = index_.token(edge.text + edge.parent_depth);
    require(index_.columns().label[edge.node] == label, "node ", edge.node,
            ": its label is not its edge's first token");
    Index& last_label = path_.empty() ? last_root_label_ : path_.back().last_label;
    require(last_label < static_cast<Index>(label), "node ", edge.node, ": siblings are out of order");
    last_label = label;
    if (path_.empty()) return;
    bool same = true;
    for (Index i = 0; i < edge.parent_depth; ++i)
      same &= index_.token(edge.text + i) == index_.token(path_.back().edge.text + i);
    require(same, "node ", edge.node, ": its path does not begin with its parent's");
  }

  void check_targets(const TrieEdge& edge, TrieWalk& walk) {
    const std::span<const TokenCount> targets = walk.targets();
    const bool is_leaf = index_.is_leaf(edge.node);
    require(!targets.empty() && (is_leaf || targets.size() > 1), "node ", edge.node, ": it has ",
            static_cast<Index>(targets.size()), " targets");
    Index sum = 0;
    for (size_t i = 0; i < targets.size(); ++i) {
      sum += targets[i].count;
      require(targets[i].count > 0, "node ", edge.node, ": a target has a count of 0");
      require(i == 0 || targets[i - 1].token < targets[i].token, "node ", edge.node, ": targets are out of order");
    }
    require(sum == edge.mass, "node ", edge.node, ": its mass is ", edge.mass, ", but its targets sum to ", sum);
    n_entries_ += static_cast<Index>(targets.size());
    if (!path_.empty()) check_as_target(edge, walk.row_mass(edge.parent_depth + 1));
    if (!is_leaf) path_.push_back({edge, index_.subtree_end(edge.node), {targets.begin(), targets.end()}});
  }

  // The parent has a target for this edge, of its first row's mass: or more, by starts that end right there.
  void check_as_target(const TrieEdge& edge, uint32_t first_row_mass) {
    Ancestor& parent = path_.back();
    const Token label = index_.columns().label[edge.node];
    while (parent.next_target < parent.targets.size() && parent.targets[parent.next_target].token < label)
      ++parent.next_target;
    const bool found = parent.next_target < parent.targets.size() && parent.targets[parent.next_target].token == label;
    require(found, "node ", edge.node, ": its first token is no target of its parent");
    if (!found) return;
    const Index more = static_cast<Index>(parent.targets[parent.next_target].count) - first_row_mass;
    require(more >= 0 && more <= 1, "node ", edge.node, ": its first row's mass is ", first_row_mass,
            ", but its parent counts ", static_cast<Index>(parent.targets[parent.next_target].count));
    ++parent.next_target;
  }

  void leave() {
    require(path_.back().last_label >= 0, "node ", path_.back().edge.node, ": an interior node has no child");
    path_.pop_back();
  }

  void count(const TrieEdge& edge, const TrieWalk& walk) {
    ++nodes_[static_cast<size_t>(edge.depth)];
    for (int depth = edge.parent_depth + 1; depth <= edge.depth; ++depth) {
      const auto d = static_cast<size_t>(depth);
      const uint32_t mass = walk.row_mass(depth);
      ++rows_[d];
      shared_[d] += mass > 1;
      mass_[d] += mass;
    }
  }

  void check_totals() {
    const IndexColumns& columns = index_.columns();
    const auto check = [&](const std::vector<uint64_t>& counted, std::span<const uint64_t> stored, const char* what) {
      require(std::ranges::equal(counted, stored), "the totals by depth of ", what, " are wrong");
    };
    check(rows_, columns.position_counts, "rows");
    check(shared_, columns.shared_counts, "shared rows");
    check(nodes_, columns.node_counts, "nodes");
    check(mass_, columns.mass_counts, "masses");
    uint64_t total = 0;
    for (const uint64_t mass : mass_) total += mass;
    require(total == index_.header().total_mass, "the rows' masses sum to ", static_cast<Index>(total),
            ", the header says ", static_cast<Index>(index_.header().total_mass));
    require(n_entries_ == index_.n_entries(), "a walk meets ", n_entries_, " targets, the header says ",
            index_.n_entries());
  }

  // Every start is on as many rows as its path is long, unless edges were dropped by choice.
  void check_starts() {
    const std::optional<Token> boundary = index_.vocabulary().boundary();
    const std::vector<uint32_t> starts = choose_starts(index_.tokens(), boundary, index_.options().starts);
    require(static_cast<Index>(starts.size()) == index_.n_starts(), "the text has ", static_cast<Index>(starts.size()),
            " starts, the header says ", index_.n_starts());
    const IndexOptions& options = index_.options();
    const bool is_whole = options.corpus_end == CorpusEnd::exact && options.prune_min_mass == 1;
    const PathLimits limits(index_.tokens(), boundary);
    std::vector<uint64_t> expected(mass_.size());
    for (const uint32_t start : starts)
      ++expected[static_cast<size_t>(std::min<Index>(index_.depth(), limits.n_rows(start)))];
    for (auto d = static_cast<size_t>(index_.depth()); d-- > 1;) expected[d] += expected[d + 1];
    for (size_t d = 1; d <= static_cast<size_t>(index_.depth()); ++d) {
      const bool agrees = is_whole ? mass_[d] == expected[d] : mass_[d] <= expected[d];
      require(agrees, "the masses at depth ", static_cast<Index>(d), " sum to ", static_cast<Index>(mass_[d]), ", but ",
              static_cast<Index>(expected[d]), " starts reach that deep");
    }
    if (is_whole) check_paths_of(starts, limits);
  }

  void check_paths_of(const std::vector<uint32_t>& starts, const PathLimits& limits) {
    constexpr size_t kSample = 1u << 16;
    std::vector<Token> path;
    for (size_t i = 0; i < starts.size(); i += starts.size() / kSample + 1) {
      const auto length = static_cast<int>(std::min<Index>(index_.depth(), limits.n_rows(starts[i])));
      path.clear();
      for (int k = 0; k < length; ++k) path.push_back(index_.token(static_cast<Index>(starts[i]) + k));
      require(index_.longest_match(path) == length, "the path from token ", static_cast<Index>(starts[i]), " has ",
              length, " rows, but ", index_.longest_match(path), " are found");
    }
  }

  const TrieIndex& index_;
  std::vector<std::string> violations_;
  Index n_violations_ = 0;
  std::vector<Ancestor> path_;  // interior nodes only
  Index last_root_label_ = -1;
  Index n_entries_ = 0;
  std::vector<uint64_t> rows_, shared_, nodes_, mass_;  // by depth
};

}  // namespace

std::vector<std::string> verify_trie_index(const TrieIndex& index) { return Verifier(index).run(); }

}  // namespace agpt
