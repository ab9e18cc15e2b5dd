#include "cpp/trie/trie_partition.h"

#include <charconv>
#include <optional>
#include <string_view>

#include "cpp/base/error.h"
#include "cpp/trie/trie_walk.h"

namespace agpt {
namespace {

// The number behind `name` and "=", if `text` is that and nothing else.
std::optional<Index> number_after(std::string_view text, std::string_view name) {
  if (!text.starts_with(name) || text.size() <= name.size() || text[name.size()] != '=') return std::nullopt;
  text.remove_prefix(name.size() + 1);
  Index number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

// First nodes of the subtrees of paths of `ngram` tokens, each with the nodes of shorter paths before it, and the end.
std::vector<Index> ngram_nodes(const TrieIndex& index, int ngram) {
  std::vector<Index> begins = {0};
  for (Index node = 0; node < index.n_nodes();) {
    if (index.depth(node) < ngram) {
      ++node;
    } else {
      node = index.subtree_end(node);
      begins.push_back(node);
    }
  }
  if (begins.back() < index.n_nodes()) {  // shorter paths alone are left: they go with the last subtree
    if (begins.size() > 1) begins.pop_back();
    begins.push_back(index.n_nodes());
  }
  return begins;
}

// Appends the ends of pieces of the nodes [begin, end) that have at most `largest` rows: runs of neighbouring subtrees,
// the first with the nodes on the way down to it. These lie on one path, so a piece of them alone is never too large.
void append_pieces(const TrieIndex& index, Index begin, Index end, Index largest, std::vector<Index>& ends) {
  const Index end_row = index.first_row(end);
  Index begin_row = index.first_row(begin);
  bool has_subtree = false;  // the open piece holds a whole one, not only ancestors of `node`
  for (Index node = begin; end_row - begin_row > largest;) {
    const Index after = index.subtree_end(node);
    if (after <= end && index.first_row(after) - begin_row <= largest) {
      has_subtree = true;
      node = after;
    } else if (has_subtree) {
      ends.push_back(node);
      begin_row = index.first_row(node);
      has_subtree = false;
    } else {
      ++node;
    }
  }
  ends.push_back(end);
}

}  // namespace

PartitionRule PartitionRule::parse(const std::string& text) {
  PartitionRule rule;
  if (text == "unigram") return rule;
  if (text == "bigram") return {.ngram = 2};
  const std::optional<Index> ngram = number_after(text, "ngram"), largest = number_after(text, "balanced");
  AGPT_REQUIRE((ngram && *ngram >= 1 && *ngram <= kMaxDepth) || (largest && *largest >= 1),
               "'" + text + "' is no partition: choose unigram, bigram, ngram=N with N from 1 to " +
                   std::to_string(kMaxDepth) + ", or balanced=SIZE with the largest number of positions of a unit");
  if (ngram) rule.ngram = static_cast<int>(*ngram);
  if (largest) rule.largest = *largest;
  return rule;
}

std::vector<Index> partition_nodes(const TrieIndex& index, const PartitionRule& rule) {
  AGPT_REQUIRE(rule.ngram >= 1, "a partition by n-grams needs n of at least 1");
  AGPT_REQUIRE(rule.largest == 0 || rule.largest >= index.depth(),
               "the largest unit of a partition is " + std::to_string(rule.largest) +
                   " positions, but must be at least the depth of the index, " + std::to_string(index.depth()));
  const std::vector<Index> grams = ngram_nodes(index, rule.ngram);
  if (rule.largest == 0) return grams;
  std::vector<Index> begins = {0};
  for (size_t i = 0; i + 1 < grams.size(); ++i) append_pieces(index, grams[i], grams[i + 1], rule.largest, begins);
  return begins;
}

PartitionFigures measure_partition(const TrieIndex& index, const std::vector<Index>& unit_begin) {
  PartitionFigures figures;
  TrieWalk walk(index, 0);
  for (size_t unit = 0; unit + 1 < unit_begin.size(); ++unit) {
    const Index begin = unit_begin[unit], end = unit_begin[unit + 1];
    figures.nodes.push_back(end - begin);
    figures.positions.push_back(index.first_row(end) - index.first_row(begin));
    figures.ancestors.push_back(begin < end ? index.parent_depth(begin) : 0);
    Index mass = 0;
    TrieEdge edge;
    for (Index node = begin; node < end && walk.next(edge); ++node)
      for (int depth = edge.parent_depth + 1; depth <= edge.depth; ++depth) mass += walk.row_mass(depth);
    figures.mass.push_back(mass);
  }
  return figures;
}

}  // namespace agpt
