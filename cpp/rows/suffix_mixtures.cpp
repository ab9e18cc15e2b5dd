#include "cpp/rows/suffix_mixtures.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "cpp/rows/trie_rows.h"

namespace agpt {
namespace {

constexpr size_t kMostElements = size_t{1} << 20;  // of all mixtures: 16 MiB

}  // namespace

void TokenMixture::add_counts(std::span<const TokenCount> targets, double factor) {
  auto element = elements.begin();
  for (const TokenCount& target : targets) {
    while (element != elements.end() && element->token < target.token) ++element;
    if (element == elements.end() || element->token != target.token)
      element = elements.insert(element, {target.token, 0});
    element->weight += factor * target.count;
  }
}

void TokenMixture::add(std::span<const TokenCount> targets) {
  double count = 0;
  for (const TokenCount& target : targets) count += target.count;
  if (count == 0) return;
  const double share = std::log1p(count);
  add_counts(targets, share / count);
  total += share;
}

SuffixMixtures::SuffixMixtures(const TrieIndex& index, Index most_rows) {
  std::vector<Index> masses;
  const RowBatch rows = rows_heavier_than(index, mass_exceeded_by(index, most_rows), index.depth(), {}, masses);
  std::vector<size_t> by_length(masses.size());  // a mixture is made from that of the next shorter suffix
  std::iota(by_length.begin(), by_length.end(), size_t{0});
  std::stable_sort(by_length.begin(), by_length.end(),
                   [&](size_t a, size_t b) { return rows.position[a] < rows.position[b]; });
  size_t n_elements = 0;
  for (const size_t row : by_length) {
    std::vector<Token> path;
    for (auto r = static_cast<int32_t>(row); r >= 0; r = rows.parent[static_cast<size_t>(r)])
      path.insert(path.begin(), static_cast<Token>(rows.token[static_cast<size_t>(r)]));
    const Found shorter = longest(std::span(path).last(path.size() - 1));
    if (shorter.length + 1 < path.size()) continue;
    TokenMixture mixture = *shorter.mixture;
    mixture.add(index.next_counts(path));
    n_elements += mixture.elements.size();
    if (n_elements > kMostElements) break;
    const auto state = static_cast<size_t>(shorter.mixture - mixtures_.data());
    longer_.emplace(key(state, path.front()), mixtures_.size());
    mixtures_.push_back(std::move(mixture));
  }
}

SuffixMixtures::Found SuffixMixtures::longest(std::span<const Token> path) const {
  size_t state = 0, length = 0;
  for (; length < path.size(); ++length) {
    const auto next = longer_.find(key(state, path[path.size() - 1 - length]));
    if (next == longer_.end()) break;
    state = next->second;
  }
  return {length, &mixtures_[state]};
}

}  // namespace agpt
