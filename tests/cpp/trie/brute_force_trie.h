// The rules of the trie, literally: every path of every start in a dictionary, edges by walking it. Slow and obvious.
#pragma once

#include <algorithm>
#include <map>
#include <vector>

#include "cpp/corpus/split.h"
#include "cpp/trie/index_builder.h"
#include "cpp/trie/start_set.h"

namespace agpt {

struct BruteForceTrie {
  using Path = std::vector<Token>;
  struct Node {
    Path path;
    int parent_depth;
    Index end, first_row;
    uint32_t mass;
    std::vector<TokenCount> targets;
  };

  // Starts through a path that are followed by each token; paths that are followed by nothing have no tokens.
  std::map<Path, std::map<Token, uint32_t>> followers;
  std::vector<Node> nodes;
  Index n_positions = 0, n_starts = 0;

  BruteForceTrie(const std::vector<Token>& text, std::optional<Token> boundary, const IndexOptions& options)
      : options_(options) {
    for (const Index start : starts(text, boundary)) {
      ++n_starts;
      Index end = start + 1;  // one past the last token that is a target
      while (end < static_cast<Index>(text.size()) && !(boundary && text[static_cast<size_t>(end)] == *boundary)) ++end;
      if (end < static_cast<Index>(text.size())) ++end;
      for (Index length = 1; length <= options.depth && start + length <= end; ++length) {
        if (boundary && start + length == end) break;
        auto& tokens = followers[Path(text.begin() + start, text.begin() + start + length)];
        if (start + length < end) ++tokens[text[static_cast<size_t>(start + length)]];
      }
    }
    std::map<Token, bool> heads;
    for (const auto& [path, tokens] : followers) heads[path.front()] = true;
    for (const auto& [token, unused] : heads) add_edge({}, token);
  }

  uint32_t mass_of(const Path& path) const {
    const auto found = followers.find(path);
    uint32_t sum = 0;
    if (found != followers.end())
      for (const auto& [token, count] : found->second) sum += count;
    return sum;
  }

  // The rule of each kind of start, written out independently of the engine.
  std::vector<Index> starts(const std::vector<Token>& text, std::optional<Token> boundary) const {
    const auto n = static_cast<Index>(text.size());
    std::vector<Index> chosen;
    bool inside = false;
    for (Index i = 0; i + 1 < n; ++i) {
      const bool is_boundary = boundary && text[static_cast<size_t>(i)] == *boundary;
      if (is_boundary) inside = !inside;
      switch (options_.starts.rule) {
        case Starts::Rule::every:
          if (!boundary || inside) chosen.push_back(i);
          break;
        case Starts::Rule::stride:
          if (i % options_.starts.stride == 0) chosen.push_back(i);
          break;
        case Starts::Rule::documents:
          if (is_boundary && inside) chosen.push_back(i);
          break;
        case Starts::Rule::max:
        case Starts::Rule::imported:
          break;
      }
    }
    if (options_.starts.rule == Starts::Rule::max) {
      const Index total = n - 1, count = std::min(total, options_.starts.count);
      for (Index i = 0; i < count; ++i)
        chosen.push_back(count == total ? i : (i * total / count + options_.starts.offset % total) % total);
    }
    return chosen;
  }

 private:
  void add_edge(const Path& above, Token head) {
    Path path = above;
    path.push_back(head);
    if (followers[path].empty()) return;
    const uint32_t head_mass = mass_of(path);
    while (followers[path].size() == 1 && static_cast<int>(path.size()) < options_.depth) {
      Path next = path;
      next.push_back(followers[path].begin()->first);
      const auto found = followers.find(next);
      if (found == followers.end() || found->second.empty()) {
        if (options_.corpus_end == CorpusEnd::reference) return;
        break;
      }
      path = next;
    }
    if (head_mass < options_.prune_min_mass && static_cast<int>(above.size()) + 1 >= options_.prune_min_depth) return;
    const size_t self = nodes.size();
    nodes.push_back({path, static_cast<int>(above.size()), 0, n_positions, mass_of(path), {}});
    n_positions += static_cast<Index>(path.size() - above.size());
    for (const auto& [token, count] : followers[path]) nodes[self].targets.push_back({token, count});
    if (nodes[self].targets.size() > 1 && static_cast<int>(path.size()) < options_.depth) {
      const std::vector<TokenCount> targets = nodes[self].targets;
      for (const TokenCount& target : targets) add_edge(path, target.token);
    }
    nodes[self].end = static_cast<Index>(nodes.size());
  }

  const IndexOptions options_;
};

}  // namespace agpt
