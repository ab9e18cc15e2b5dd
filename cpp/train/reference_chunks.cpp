#include "cpp/train/reference_chunks.h"

#include <algorithm>
#include <utility>

#include "cpp/base/error.h"
#include "cpp/trie/trie_partition.h"
#include "cpp/trie/trie_walk.h"

namespace agpt {

struct ReferenceChunks::Node {
  Index number, length;  // of its edge
  int depth, level;      // of its endpoint; edges above it
};

std::vector<ReferenceChunks::Node> ReferenceChunks::nodes_between(const TrieIndex& index, Index begin, Index end) {
  std::vector<Node> nodes;
  std::vector<Index> subtree_ends;  // of the ancestors
  for (Index node = begin; node < end; ++node) {
    while (!subtree_ends.empty() && subtree_ends.back() <= node) subtree_ends.pop_back();
    const int depth = index.depth(node);
    nodes.push_back({node, depth - index.parent_depth(node), depth, static_cast<int>(subtree_ends.size())});
    subtree_ends.push_back(index.subtree_end(node));
  }
  return nodes;
}

ReferenceChunks::ReferenceChunks(const TrieIndex& index, Index chunk_positions, Index batch_rows) {
  AGPT_REQUIRE(chunk_positions >= index.depth(), "chunks of " + std::to_string(chunk_positions) +
                                                     " positions cannot hold an edge: choose at least " +
                                                     std::to_string(index.depth()) + ", the depth of the index");
  nodes_.reserve(static_cast<size_t>(index.n_nodes()));
  const std::vector<Index> units = partition_nodes(index, {.ngram = 1});
  for (size_t unit = 0; unit + 1 < units.size(); ++unit) {
    std::vector<Node> group = nodes_between(index, units[unit], units[unit + 1]);
    std::stable_sort(group.begin(), group.end(), [](const Node& a, const Node& b) {
      return std::pair(a.depth, a.level) < std::pair(b.depth, b.level);
    });
    group_begin_.push_back(static_cast<Index>(chunk_begin_.size()));
    for (size_t begin = 0, end = 0; begin < group.size(); begin = end) {
      Index positions = 0;
      for (; end < group.size() && positions + group[end].length <= chunk_positions; ++end)
        positions += group[end].length;
      add_chunk(std::span(group).subspan(begin, end - begin), batch_rows);
    }
  }
  batch_begin_.push_back(static_cast<Index>(nodes_.size()));
  chunk_begin_.push_back(n_batches());
  group_begin_.push_back(n_chunks());
}

void ReferenceChunks::add_chunk(std::span<Node> chunk, Index batch_rows) {
  chunk_begin_.push_back(static_cast<Index>(batch_begin_.size()));
  std::sort(chunk.begin(), chunk.end(),
            [](const Node& a, const Node& b) { return std::pair(a.depth, a.number) < std::pair(b.depth, b.number); });
  Index rows = 0;
  for (size_t i = 0; i < chunk.size(); ++i) {
    if (i == 0 || chunk[i].depth != chunk[i - 1].depth || rows + chunk[i].length > batch_rows) {
      batch_begin_.push_back(static_cast<Index>(nodes_.size()));
      rows = 0;
    }
    nodes_.push_back(chunk[i].number);
    rows += chunk[i].length;
  }
}

std::span<const Index> ReferenceChunks::chunk_nodes(Index chunk) const {
  const std::span<const Index> first = nodes(first_batch(chunk)), last = nodes(first_batch(chunk + 1) - 1);
  return {first.data(), last.data() + last.size()};
}

std::vector<double> relative_masses(const TrieIndex& index, const ReferenceChunks& chunks, const Weighting& weighting) {
  std::vector<double> factor(static_cast<size_t>(index.n_nodes()));
  std::vector<Index> length(factor.size());
  TrieWalk walk(index, 0);
  for (TrieEdge edge; walk.next(edge);) {
    const auto node = static_cast<size_t>(edge.node);
    factor[node] = weighting.of_mass(walk.row_mass(edge.parent_depth + 1));
    length[node] = edge.depth - edge.parent_depth;
  }
  for (Index chunk = 0; chunk < chunks.n_chunks(); ++chunk) {
    double sum = 0;
    Index positions = 0;
    for (const Index node : chunks.chunk_nodes(chunk)) {
      sum += factor[static_cast<size_t>(node)] * static_cast<double>(length[static_cast<size_t>(node)]);
      positions += length[static_cast<size_t>(node)];
    }
    for (const Index node : chunks.chunk_nodes(chunk))
      factor[static_cast<size_t>(node)] *= static_cast<double>(positions) / sum;
  }
  return factor;
}

}  // namespace agpt
