#include "cpp/synth/reference_leaves.h"

#include <algorithm>

#include "cpp/base/error.h"
#include "cpp/trie/trie_walk.h"

namespace agpt {

// One pass over the nodes in pre-order. The children of the nodes on the way down wait on a stack; when a node is left,
// its children on top of the stack become its list.
class ReferenceLeaves::Builder {
 public:
  Builder(const TrieIndex& index, ReferenceLeaves& result) : index_(index), result_(result) {}

  void build() {
    uint32_t n_leaves = 0;
    open_.push_back({0, 0});
    TrieWalk walk(index_, 0);
    for (TrieEdge edge; walk.next(edge);) {
      close_above(edge.parent_depth);
      if (edge.parent_depth == 0) result_.roots_.push_back({index_.token(edge.text), 0});
      const bool is_leaf = index_.is_leaf(edge.node);
      waiting_.push_back(
          {walk.row_mass(edge.parent_depth + 1), is_leaf ? kLeaf | n_leaves : 0, static_cast<uint32_t>(edge.depth)});
      n_leaves += is_leaf;
      if (!is_leaf) open_.push_back({edge.depth, waiting_.size()});
    }
    close_above(0);
    for (size_t i = 0; i < result_.roots_.size(); ++i) result_.roots_[i].place = waiting_[i].place;
    result_.root_list_ = write_list(0);
  }

 private:
  struct Waiting {
    uint32_t mass, place, depth;
  };
  struct OpenNode {
    int depth;
    size_t first_child;  // in waiting_
  };

  void close_above(int depth) {
    for (; open_.back().depth > depth; open_.pop_back()) {
      const size_t first = open_.back().first_child;
      waiting_[first - 1].place = write_list(first);  // the node itself waits right below its children
      waiting_.resize(first);
    }
  }

  // Siblings come in token order; a stable sort leaves them so among equals.
  uint32_t write_list(size_t first) {
    const auto begin = waiting_.begin() + static_cast<std::ptrdiff_t>(first);
    const auto is_higher = [](const Waiting& a, const Waiting& b) { return a.depth < b.depth; };
    if (!std::is_sorted(begin, waiting_.end(), is_higher)) std::stable_sort(begin, waiting_.end(), is_higher);
    const auto list = static_cast<uint32_t>(result_.lists_.size());
    result_.lists_.push_back({0, static_cast<uint32_t>(waiting_.end() - begin)});
    uint32_t mass = 0;
    for (auto child = begin; child != waiting_.end(); ++child)
      result_.lists_.push_back({mass += child->mass, child->place});
    result_.lists_[list].mass_so_far = mass;
    return list;
  }

  const TrieIndex& index_;
  ReferenceLeaves& result_;
  std::vector<OpenNode> open_;
  std::vector<Waiting> waiting_;
};

ReferenceLeaves::ReferenceLeaves(const TrieIndex& index, uint64_t seed) : random_(seed) {
  const auto n_leaves = index.columns().leaf_start.size();
  const size_t n_lists = static_cast<size_t>(index.n_nodes()) - n_leaves + 1;
  const size_t n_elements = static_cast<size_t>(index.n_nodes()) + n_lists;
  AGPT_REQUIRE(n_elements < kLeaf, "the index has " + std::to_string(index.n_nodes()) +
                                       " nodes, more than the reference's generator can go through: use xoshiro");
  reserved_ = MemoryReservation(n_elements * sizeof(Child), "the forks of the trie");
  lists_.reserve(n_elements);
  Builder(index, *this).build();
}

std::optional<uint32_t> ReferenceLeaves::choose(std::optional<Token> first) {
  uint32_t place;
  if (first) {
    const auto root = std::lower_bound(roots_.begin(), roots_.end(), *first,
                                       [](const Root& r, Token token) { return r.token < token; });
    if (root == roots_.end() || root->token != *first) return std::nullopt;
    skip_choice();  // the only child that begins so
    place = root->place;
  } else {
    place = choose_child(root_list_);
  }
  while (!(place & kLeaf)) place = choose_child(place);
  return place & ~kLeaf;
}

// The first child with u * mass <= the masses so far. Those are integers, so the product may be rounded up to one.
uint32_t ReferenceLeaves::choose_child(uint32_t list) {
  const Child header = lists_[list];
  const double product = random_.uniform() * header.mass_so_far;
  auto wanted = static_cast<uint32_t>(product);
  wanted += wanted < product;
  const Child* child = lists_.data() + list + 1;
  for (uint32_t n = header.place; n > 8;) {  // halves without a branch to mispredict
    const uint32_t half = n / 2;
    child += child[half - 1].mass_so_far < wanted ? half : 0;
    n -= half;
  }
  while (child->mass_so_far < wanted) ++child;
  return child->place;
}

const TokenCount& ReferenceLeaves::choose(std::span<const TokenCount> followers, uint32_t mass) {
  const double wanted = random_.uniform() * mass;
  double sum = 0;
  for (const TokenCount& follower : followers)
    if (wanted <= (sum += follower.count)) return follower;
  return followers.back();
}

}  // namespace agpt
