#include "cpp/synth/suffix_walk.h"

#include <algorithm>

#include "cpp/synth/uniform_leaves.h"

namespace agpt {

template <class Id>
SuffixWalk<Id>::SuffixWalk(const TrieIndex& index, const LeafTable& table, uint64_t seed)
    : index_(index),
      table_(table),
      tokens_(static_cast<const Id*>(index.tokens().data()), static_cast<size_t>(index.n_tokens())),
      depth_(static_cast<size_t>(index.depth())),
      random_(seed),
      reserved_((tokens_.size() + table.n_followers()) * sizeof(uint32_t), "the contexts of the synthesis"),
      follows_(tokens_.size(), kUnknown),
      window_after_(table.n_followers(), kUnknown) {
  for (uint32_t i = 0; i < table.size(); ++i)
    if (table[i].depth == depth_) follows_[table[i].text] = table[i].followers;
}

template <class Id>
void SuffixWalk<Id>::run(std::optional<Token> first, TextWriter<Id>& writer, Synthesis& result) {
  window_ = kNoWindow;
  context_.clear();
  if (first) {
    context_.push_back(*first);
    settle(result);
  }
  while (!writer.is_full()) {
    if (window_ == kNoWindow) {
      step_from_context(writer, result);
    } else if (follows_[window_] == kOneToken) {
      copy_to_fork(writer);
    } else if (follows_[window_] == kUnknown) {
      look_up_window(result);
    } else {
      step_from_fork(writer, result);
    }
  }
}

template <class Id>
void SuffixWalk<Id>::step_from_context(TextWriter<Id>& writer, Synthesis& result) {
  const std::vector<TokenCount> followers = index_.next_counts(context_);
  uint64_t total = 0;
  for (const TokenCount& follower : followers) total += follower.count;
  const Token next = choose_by_count(followers, total, random_).token;
  writer.write(next);
  context_.push_back(next);
  settle(result);
}

template <class Id>
void SuffixWalk<Id>::copy_to_fork(TextWriter<Id>& writer) {
  const uint32_t begin = window_;
  do ++window_;
  while (follows_[window_] == kOneToken);
  writer.write(tokens_.data() + begin + depth_, window_ - begin);
}

template <class Id>
void SuffixWalk<Id>::step_from_fork(TextWriter<Id>& writer, Synthesis& result) {
  const uint32_t list = follows_[window_];
  const TokenCount& next = choose_by_count(table_.followers(list), table_.total_count(list), random_);
  writer.write(next.token);
  uint32_t& window_after = window_after_[table_.number_of(next)];
  if (window_after == kUnknown || window_after == kNoWindow) {
    const auto path = tokens_.subspan(window_ + 1, depth_ - 1);
    context_.assign(path.begin(), path.end());
    context_.push_back(next.token);
    settle(result);
    window_after = window_;
  } else {
    window_ = window_after;
  }
}

template <class Id>
void SuffixWalk<Id>::look_up_window(Synthesis& result) {
  const uint32_t from = window_;
  const auto path = tokens_.subspan(from, depth_);
  context_.assign(path.begin(), path.end());
  settle(result);
  if (window_ == kNoWindow) return;
  // What follows `from` itself need not be a follower, if the trie does not begin there or the text ends there.
  const bool same = from + depth_ < tokens_.size() && tokens_[from + depth_] == tokens_[window_ + depth_];
  if (same || follows_[window_] != kOneToken) follows_[from] = follows_[window_];
}

template <class Id>
void SuffixWalk<Id>::settle(Synthesis& result) {
  window_ = kNoWindow;
  if (context_.size() == depth_) {
    window_ = window_of_context();
    if (window_ != kNoWindow) return;
  }
  while (!context_.empty() && (context_.size() == depth_ || index_.longest_match(context_) < std::ssize(context_))) {
    context_.erase(context_.begin());
    ++result.backoffs;
  }
  result.restarts += context_.empty();
}

// Leaves are sorted by their paths: a binary search for the one whose path is the context.
template <class Id>
uint32_t SuffixWalk<Id>::window_of_context() const {
  const auto path_of = [&](uint32_t leaf) { return tokens_.subspan(table_[leaf].text, table_[leaf].depth); };
  uint32_t first = 0, end = table_.size();
  while (first < end) {
    const uint32_t middle = first + (end - first) / 2;
    const auto path = path_of(middle);
    if (std::lexicographical_compare(path.begin(), path.end(), context_.begin(), context_.end())) {
      first = middle + 1;
    } else {
      end = middle;
    }
  }
  if (first == table_.size()) return kNoWindow;
  const auto path = path_of(first);
  const bool found = std::equal(path.begin(), path.end(), context_.begin(), context_.end());
  return found ? table_[first].text : kNoWindow;
}

template class SuffixWalk<uint8_t>;
template class SuffixWalk<uint16_t>;
template class SuffixWalk<uint32_t>;

}  // namespace agpt
