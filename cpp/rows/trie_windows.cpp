#include "cpp/rows/trie_windows.h"

#include <algorithm>

#include "cpp/base/error.h"
#include "cpp/trie/trie_queries.h"

namespace agpt {

TrieWindows::TrieWindows(const TrieIndex& index, std::shared_ptr<const TargetBlend> blend)
    : index_(index), blend_(std::move(blend)) {
  const Starts::Rule rule = index.options().starts.rule;
  AGPT_REQUIRE(
      rule == (index.has_documents() ? Starts::Rule::documents : Starts::Rule::every),
      "targets from the trie need an index whose starts are where windows begin, but this one has the starts '" +
          index.options().starts.to_string() + "': build it with the starts every, or documents");
}

// The nodes on the path from the start, from the root down, as far as the trie goes.
std::vector<Index> TrieWindows::path_of_start(Index start, Index n_rows) const {
  std::vector<Token> path;
  for (Index i = 0; i < std::min<Index>(n_rows, index_.depth()); ++i) path.push_back(index_.token(start + i));
  return nodes_down_to(index_, index_.locate(path).node);
}

void TrieWindows::append(Index start, Index n_rows, RowBatch& batch) const {
  const std::vector<Index> nodes = path_of_start(start, n_rows);
  std::vector<TokenCount> targets;
  std::vector<Token> path;
  size_t next = 0;  // the first node whose endpoint is not behind us
  int32_t row = -1;
  for (Index i = 0; i < n_rows; ++i) {
    path.push_back(index_.token(start + i));
    row = batch.begin_row(path.back(), static_cast<int32_t>(i), row);
    while (next < nodes.size() && index_.depth(nodes[next]) < i + 1) ++next;
    if (next < nodes.size() && index_.depth(nodes[next]) == i + 1) {
      index_.targets(nodes[next], targets);
      if (blend_) {
        blend_->add_targets(path, targets, 1, batch);
      } else {
        const double mass = index_.mass(nodes[next]);
        for (const TokenCount& target : targets) batch.add_target(target.token, target.count / mass);
      }
    } else {  // inside an edge, or outside the trie
      batch.add_target(index_.token(start + i + 1), 1);
    }
    batch.end_row();
  }
}

}  // namespace agpt
