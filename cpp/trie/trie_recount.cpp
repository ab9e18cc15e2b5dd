#include "cpp/trie/trie_recount.h"

#include <algorithm>
#include <optional>

#include "cpp/base/memory.h"

namespace agpt {
namespace {

using Report = std::function<void(std::string)>;

// The next element of each column that has one for some nodes only; elements are met in file order.
struct Cursor {
  size_t node = 0, leaf = 0, interior = 0, heavy = 0, short_leaf = 0, childless = 0, ended = 0;
};

// Compares columns, element by element, with what a recount found.
class Comparison {
 public:
  Comparison(const TrieIndex& index, const Report& report) : c_(index.columns()), report_(report) {}

  struct Diverged {};  // the shape of the trie is another: what follows cannot be compared

  void node(int parent_depth, Token label, int depth, bool is_leaf) {
    if (next_.node + 1 >= c_.parent_depth.size()) stop("the text has more nodes than the index");
    const auto node = static_cast<Index>(next_.node);
    if (c_.parent_depth[next_.node] != parent_depth || c_.label[node] != label) {
      report_(at_node() + "it hangs at depth " + std::to_string(c_.parent_depth[next_.node]) + " by the token " +
              std::to_string(c_.label[node]) + ", but by the text at depth " + std::to_string(parent_depth) +
              " by the token " + std::to_string(label) + ", and nothing behind it was compared");
      throw Diverged{};
    }
    const int below = c_.parent_depth[next_.node + 1];
    if ((below <= parent_depth) != is_leaf || (!is_leaf && below != depth))
      stop(at_node() + "by the text it is " +
           (is_leaf ? "a leaf" : "an interior node of depth " + std::to_string(depth)));
  }
  void interior_mass(uint64_t mass) { expect("mass", mass, c_.mass[static_cast<Index>(next_.interior++)]); }
  void leaf_start(uint32_t start) { expect("first start", start, c_.leaf_start[next_.leaf]); }
  void short_leaf(std::optional<int> depth) {
    const bool listed = is_next(c_.short_leaf_node, next_.short_leaf, next_.node);
    if (listed != depth.has_value()) stop(at_node() + "it is " + (listed ? "" : "not ") + "listed as a short leaf");
    if (listed) expect("depth", static_cast<uint64_t>(*depth), c_.short_leaf_depth[next_.short_leaf++]);
  }
  void heavy_leaf(std::span<const TokenCount> targets) {
    const bool listed = is_next(c_.heavy_leaf, next_.heavy, next_.leaf);
    if (listed == targets.empty()) stop(at_node() + "it is " + (listed ? "" : "not ") + "listed as a heavy leaf");
    if (!listed) return;
    const Index begin = c_.heavy_begin[next_.heavy], end = c_.heavy_begin[next_.heavy + 1];
    ++next_.heavy;
    expect("number of targets", targets.size(), static_cast<uint64_t>(end - begin));
    for (Index i = 0; i < std::min(static_cast<Index>(targets.size()), end - begin); ++i) {
      expect("target", targets[static_cast<size_t>(i)].token, c_.entry_token[begin + i]);
      expect("count of a target", targets[static_cast<size_t>(i)].count, c_.entry_count[begin + i]);
    }
  }
  void ended(int depth) {
    if (!is_next(c_.ended_node, next_.ended, next_.node)) stop(at_node() + "no start is listed that ends on its edge");
    expect("depth where a start ends", static_cast<uint64_t>(depth), c_.ended_depth[next_.ended++]);
  }
  void childless(Token token, uint64_t count) {
    if (!is_next(c_.childless_node, next_.childless, next_.node))
      stop(at_node() + "the target " + std::to_string(token) + " has neither a child nor an entry of its own");
    const auto i = static_cast<Index>(next_.childless++);
    expect("target without a child", token, c_.childless_token[i]);
    expect("count of a target without a child", count, c_.childless_count[i]);
  }
  void end_node(bool is_leaf) {
    if (is_next(c_.ended_node, next_.ended, next_.node)) stop(at_node() + "too many starts are listed that end on it");
    if (is_next(c_.childless_node, next_.childless, next_.node))
      stop(at_node() + "too many targets without a child are listed");
    ++next_.node;
    next_.leaf += is_leaf;
  }
  void end() {
    if (next_.node + 1 != c_.parent_depth.size())
      report_("the index has " + std::to_string(c_.parent_depth.size() - 1) + " nodes, but the text has " +
              std::to_string(next_.node));
  }

 private:
  static bool is_next(std::span<const uint32_t> numbers, size_t i, size_t number) {
    return i < numbers.size() && numbers[i] == number;
  }
  std::string at_node() const { return "node " + std::to_string(next_.node) + ": "; }
  void expect(const char* what, uint64_t counted, uint64_t stored) {
    if (stored == counted) return;
    report_(at_node() + "its " + what + " is " + std::to_string(stored) + ", but by the text " +
            std::to_string(counted));
  }
  [[noreturn]] void stop(const std::string& sentence) {
    report_(sentence + ", and nothing behind it was compared");
    throw Diverged{};
  }

  const IndexColumns& c_;
  const Report& report_;
  Cursor next_;
};

template <class Id>
class Recount {
 public:
  Recount(const TrieIndex& index, std::span<const Id> tokens, const PathLimits& limits, const Report& report)
      : tokens_(tokens),
        limits_(limits),
        options_(index.options()),
        depth_(index.depth()),
        vocabulary_size_(static_cast<size_t>(index.vocabulary_size())),
        compare_(index, report),
        totals_(index.depth()) {}

  RecountTotals run(std::span<uint32_t> starts) {
    try {
      descend(split(starts, 0));
      compare_.end();
    } catch (const Comparison::Diverged&) {
    }
    for (auto* by_depth : {&totals_.rows, &totals_.shared, &totals_.mass, &totals_.dropped}) {
      for (size_t d = 1; d < by_depth->size(); ++d) (*by_depth)[d] += (*by_depth)[d - 1];
      by_depth->pop_back();
    }
    totals_.nodes.pop_back();
    return std::move(totals_);
  }

 private:
  // Starts whose paths share a node and the token behind it, and the edge that they make below the node.
  struct Edge {
    std::span<uint32_t> starts;  // ascending: in a running text, those that end on the edge come last
    size_t n_through = 0;        // starts that are followed by something at the endpoint
    int parent_depth = 0, depth = 0;
    bool is_tail = false;  // the text or document ends before the paths part
    bool is_kept = false;
    Token label = 0;

    std::span<uint32_t> through() const { return starts.first(n_through); }
    std::span<uint32_t> ended() const { return starts.subspan(n_through); }
  };
  // Part of edges_, which grows and shrinks like a stack.
  struct Children {
    size_t begin, end;
  };

  int n_rows(uint32_t start) const { return static_cast<int>(std::min<Index>(depth_, limits_.n_rows(start))); }
  Token token(uint32_t start, int at) const { return tokens_[start + static_cast<size_t>(at)]; }

  // The edges below a node of that depth, by token.
  Children split(std::span<uint32_t> starts, int depth) {
    sort_by_token(starts, depth);
    const size_t begin = edges_.size();
    for (size_t first = 0, last; first < starts.size(); first = last) {
      const Token label = token(starts[first], depth);
      for (last = first + 1; last < starts.size() && token(starts[last], depth) == label;) ++last;
      edges_.push_back(follow(starts.subspan(first, last - first), depth, label));
    }
    return {begin, edges_.size()};
  }

  // By the token at that depth, then by position.
  void sort_by_token(std::span<uint32_t> starts, int depth) {
    if (starts.size() < 2) return;
    if (starts.size() >= 256 && starts.size() >= vocabulary_size_) return place_by_token(starts, depth);
    keys_.clear();
    for (const uint32_t start : starts) keys_.push_back(uint64_t{token(start, depth)} << 32 | start);
    std::ranges::sort(keys_);
    std::ranges::transform(keys_, starts.begin(), [](uint64_t key) { return static_cast<uint32_t>(key); });
  }
  void place_by_token(std::span<uint32_t> starts, int depth) {
    places_.assign(vocabulary_size_ + 1, 0);
    for (const uint32_t start : starts) ++places_[size_t{token(start, depth)} + 1];
    for (size_t t = 1; t < places_.size(); ++t) places_[t] += places_[t - 1];
    unsorted_.assign(starts.begin(), starts.end());
    for (const uint32_t start : unsorted_) starts[places_[token(start, depth)]++] = start;
  }

  // How far the paths of the starts run together. The first has the longest path of a running text; in documents, paths
  // that run together to an end of a document end there together.
  Edge follow(std::span<uint32_t> starts, int parent_depth, Token label) const {
    const uint32_t first = starts[0];
    Edge edge{.starts = starts, .parent_depth = parent_depth, .depth = n_rows(first), .label = label};
    if (edge.depth == parent_depth) return edge;  // the token begins no row
    bool they_part = false;
    for (const uint32_t start : starts.subspan(1)) {
      const int last = std::min({edge.depth, n_rows(start), depth_ - 1});
      int at = parent_depth + 1;
      while (at <= last && token(start, at) == token(first, at)) ++at;
      if (at > last) continue;  // together as far as it goes
      edge.depth = at;
      they_part = true;
    }
    edge.is_tail = edge.depth < depth_ && !they_part;
    edge.n_through = starts.size();
    while (n_rows(starts[edge.n_through - 1]) < edge.depth) --edge.n_through;
    edge.is_kept = is_kept(edge);
    return edge;
  }

  bool is_kept(const Edge& edge) const {
    if (edge.is_tail && options_.corpus_end == CorpusEnd::reference) return false;
    const int first_row = edge.parent_depth + 1;
    // Of a running text, one start at most ends on the first row.
    const Index mass = static_cast<Index>(edge.starts.size()) - (n_rows(edge.starts.back()) < first_row);
    return mass >= options_.prune_min_mass || first_row < options_.prune_min_depth;
  }

  void descend(const Children children) {
    for (size_t i = children.begin; i < children.end; ++i) {
      const Edge edge = edges_[i];
      if (!edge.is_kept) {
        drop(edge);
      } else if (edge.depth == depth_ || edge.is_tail) {
        meet_leaf(edge);
      } else {
        meet_branching(edge);
      }
    }
    edges_.resize(children.begin);
  }

  void meet_leaf(const Edge& edge) {
    const std::span<uint32_t> starts = edge.through();
    sort_by_token(starts, edge.depth);
    std::vector<TokenCount>& targets = targets_;
    targets.clear();
    for (const uint32_t start : starts) {
      const Token target = token(start, edge.depth);
      if (targets.empty() || targets.back().token != target) targets.push_back({target, 0});
      ++targets.back().count;
    }
    totals_.n_entries += targets.size();
    if (starts.size() == 1) targets.clear();  // the token behind the path
    compare_.node(edge.parent_depth, edge.label, edge.depth, true);
    compare_.leaf_start(starts[0]);
    compare_.short_leaf(edge.is_tail ? std::optional(edge.depth) : std::nullopt);
    compare_.heavy_leaf(targets);
    meet_ended(edge);
    compare_.end_node(true);
    add(edge);
  }

  void meet_branching(const Edge& edge) {
    const Children children = split(edge.through(), edge.depth);
    const std::span below(edges_.data() + children.begin, children.end - children.begin);
    const bool is_leaf = std::ranges::none_of(below, &Edge::is_kept);
    totals_.n_entries += below.size();
    compare_.node(edge.parent_depth, edge.label, edge.depth, is_leaf);
    if (is_leaf) {
      compare_.leaf_start(first_in_order(below[0].starts, edge.depth + 1));
      compare_.short_leaf(edge.depth);
      compare_.heavy_leaf({});
    } else {
      compare_.interior_mass(edge.n_through);
    }
    meet_ended(edge);
    for (const Edge& child : below)
      if (!child.is_kept) compare_.childless(child.label, child.starts.size());
    compare_.end_node(is_leaf);
    add(edge);
    descend(children);
  }

  void meet_ended(const Edge& edge) {
    for (size_t i = edge.ended().size(); i-- > 0;) compare_.ended(n_rows(edge.ended()[i]) + 1);
  }

  // The start whose path comes first, then by position. A path that ends as the beginning of another is passed over:
  // the builder makes no leaf of it.
  uint32_t first_in_order(std::span<const uint32_t> starts, int common) const {
    return *std::ranges::min_element(starts, [&](uint32_t a, uint32_t b) {
      for (int at = common; at <= depth_; ++at) {
        const bool a_ends = at > n_rows(a), b_ends = at > n_rows(b);
        if (a_ends != b_ends) return b_ends;
        if (a_ends) break;
        if (token(a, at) != token(b, at)) return token(a, at) < token(b, at);
      }
      return a < b;
    });
  }

  void add(const Edge& edge) {
    const auto first = static_cast<size_t>(edge.parent_depth) + 1, end = static_cast<size_t>(edge.depth) + 1;
    ++totals_.nodes[end - 1];
    ++totals_.rows[first];
    --totals_.rows[end];
    totals_.mass[first] += edge.n_through;
    totals_.mass[end] -= edge.n_through;
    for (const uint32_t start : edge.ended()) {
      ++totals_.mass[first];
      --totals_.mass[static_cast<size_t>(n_rows(start)) + 1];
    }
    // A row is shared as long as two starts are followed by something.
    size_t shared_end = edge.n_through > 1 ? end : first;
    if (edge.n_through == 1 && !edge.ended().empty()) shared_end = static_cast<size_t>(n_rows(edge.ended()[0])) + 1;
    ++totals_.shared[first];
    --totals_.shared[shared_end];
  }

  void drop(const Edge& edge) {
    for (const uint32_t start : edge.starts) {
      ++totals_.dropped[static_cast<size_t>(edge.parent_depth) + 1];
      --totals_.dropped[static_cast<size_t>(n_rows(start)) + 1];
    }
  }

  const std::span<const Id> tokens_;
  const PathLimits& limits_;
  const IndexOptions& options_;
  const int depth_;
  const size_t vocabulary_size_;
  Comparison compare_;
  RecountTotals totals_;
  std::vector<Edge> edges_;
  std::vector<TokenCount> targets_;
  std::vector<uint64_t> keys_;
  std::vector<uint32_t> places_, unsorted_;
};

}  // namespace

RecountTotals recount_trie(const TrieIndex& index, const PathLimits& limits, std::span<uint32_t> starts,
                           const Report& report) {
  const MemoryReservation reserved(starts.size() * sizeof(uint32_t), "verification");
  return index.tokens().visit(
      [&]<class Id>(std::span<const Id> tokens) { return Recount<Id>(index, tokens, limits, report).run(starts); });
}

}  // namespace agpt
