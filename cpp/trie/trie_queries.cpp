#include "cpp/trie/trie_queries.h"

#include <algorithm>

namespace agpt {
namespace {

// Calls use(i, targets) for each path that occurs.
template <class Use>
void for_each_targets(const TrieIndex& index, const PathBatch& paths, const Use& use) {
  std::vector<TokenCount> targets;
  for (size_t i = 0; i < paths.size(); ++i) {
    const TrieIndex::Place place = index.locate(paths[i]);
    if (static_cast<size_t>(place.depth) < paths[i].size()) continue;
    index.targets_at(place, targets);
    use(i, targets);
  }
}

}  // namespace

std::vector<Index> count_paths(const TrieIndex& index, const PathBatch& paths) {
  std::vector<Index> counts(paths.size());
  for (size_t i = 0; i < paths.size(); ++i) counts[i] = index.count(paths[i]);
  return counts;
}

std::vector<Index> match_paths(const TrieIndex& index, const PathBatch& paths) {
  std::vector<Index> matches(paths.size());
  for (size_t i = 0; i < paths.size(); ++i) matches[i] = index.longest_match(paths[i]);
  return matches;
}

SparseCounts next_counts_of_paths(const TrieIndex& index, const PathBatch& paths) {
  SparseCounts rows;
  rows.row_begin.assign(paths.size() + 1, 0);
  for_each_targets(index, paths, [&](size_t i, const std::vector<TokenCount>& targets) {
    rows.row_begin[i + 1] = static_cast<Index>(targets.size());
    for (const TokenCount& target : targets) {
      rows.tokens.push_back(target.token);
      rows.counts.push_back(target.count);
    }
  });
  for (size_t i = 0; i < paths.size(); ++i) rows.row_begin[i + 1] += rows.row_begin[i];
  return rows;
}

void next_distributions_of_paths(const TrieIndex& index, const PathBatch& paths, std::span<float> distributions) {
  const auto width = static_cast<size_t>(index.vocabulary_size());
  for_each_targets(index, paths, [&](size_t i, const std::vector<TokenCount>& targets) {
    double total = 0;
    for (const TokenCount& target : targets) total += target.count;
    const std::span<float> row = distributions.subspan(i * width, width);
    for (const TokenCount& target : targets) row[target.token] = static_cast<float>(target.count / total);
  });
}

Index parent_of(const TrieIndex& index, Index node) {
  std::vector<Token> path = path_of(index, node);
  path.resize(static_cast<size_t>(index.parent_depth(node)));
  return index.locate(path).node;
}

std::vector<Index> children_of(const TrieIndex& index, Index node) {
  std::vector<Index> children;
  const Index end = node < 0 ? index.n_nodes() : index.subtree_end(node);
  for (Index child = node + 1; child < end; child = index.subtree_end(child)) children.push_back(child);
  return children;
}

std::vector<Index> nodes_down_to(const TrieIndex& index, Index node) {
  std::vector<Index> nodes;
  for (; node >= 0; node = parent_of(index, node)) nodes.push_back(node);
  std::reverse(nodes.begin(), nodes.end());
  return nodes;
}

std::vector<Token> path_of(const TrieIndex& index, Index node) {
  std::vector<Token> path;
  if (node < 0) return path;
  const Index begin = index.text(node);
  for (int k = 0; k < index.depth(node); ++k) path.push_back(index.token(begin + k));
  return path;
}

}  // namespace agpt
