#include "cpp/trie/path_occurrences.h"

#include <algorithm>
#include <functional>

#include "cpp/trie/start_set.h"

namespace agpt {
namespace {

// Collecting and sorting a start costs about as much as searching this many tokens of text.
constexpr double kTokensPerStart = 10;

// Tells which positions are starts; asked in ascending order.
class StartFilter {
 public:
  explicit StartFilter(const TrieIndex& index) {
    if (index.options().starts.rule == Starts::Rule::every && !index.has_documents()) return;
    starts_ = choose_starts(index.tokens(), index.vocabulary().boundary(), index.options().starts);
    std::ranges::sort(starts_);  // a rotated rule does not begin with the first
    is_every_ = false;
  }

  bool operator()(Index position) {
    if (is_every_) return true;
    while (next_ < starts_.size() && starts_[next_] < position) ++next_;
    return next_ < starts_.size() && starts_[next_] == position;
  }

 private:
  bool is_every_ = true;
  std::vector<uint32_t> starts_;
  size_t next_ = 0;
};

std::vector<Index> search_text(const TrieIndex& index, std::span<const Token> path, Index limit) {
  std::vector<Index> positions;
  StartFilter is_start(index);
  index.tokens().visit([&]<class Id>(std::span<const Id> text) {
    const std::vector<Id> needle(path.begin(), path.end());
    const std::boyer_moore_horspool_searcher searcher(needle.begin(), needle.end());
    const auto end = text.end() - 1;  // the last token is followed by nothing
    for (auto at = text.begin(); static_cast<Index>(positions.size()) < limit; ++at) {
      at = std::search(at, end, searcher);
      if (at == end) break;
      if (is_start(at - text.begin())) positions.push_back(at - text.begin());
    }
  });
  return positions;
}

}  // namespace

std::vector<Index> find_occurrences(const TrieIndex& index, std::span<const Token> path, Index limit) {
  index.require_text("finding occurrences");
  const TrieIndex::Place place = index.locate(path);
  if (static_cast<size_t>(place.depth) < path.size()) return {};
  const Index count = path.empty() ? index.n_starts() : index.row_mass(place.node, place.depth);
  const Index wanted = limit < 0 ? count : std::min(limit, count);
  if (path.empty()) {
    std::vector<uint32_t> starts = choose_starts(index.tokens(), index.vocabulary().boundary(), index.options().starts);
    std::ranges::sort(starts);
    starts.resize(static_cast<size_t>(std::min(wanted, static_cast<Index>(starts.size()))));
    return {starts.begin(), starts.end()};
  }
  const std::span<const uint32_t> leaves = index.leaf_starts(place.node);
  const double searched =
      static_cast<double>(wanted) / static_cast<double>(count) * static_cast<double>(index.n_tokens());
  const bool each_has_one = static_cast<Index>(leaves.size()) == count;
  if (!each_has_one || searched < kTokensPerStart * static_cast<double>(count)) return search_text(index, path, wanted);
  std::vector<Index> positions(leaves.begin(), leaves.end());
  std::ranges::sort(positions);
  positions.resize(static_cast<size_t>(wanted));
  return positions;
}

}  // namespace agpt
