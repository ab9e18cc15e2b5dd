// The walk that keeps its context: every token is drawn from what follows the longest suffix of the text that is a path
// of the trie. That is a Markov text of the order of the trie's depth, which backs off where a context is missing.
#pragma once

#include <optional>
#include <vector>

#include "cpp/base/random.h"
#include "cpp/synth/leaf_table.h"
#include "cpp/synth/text_writer.h"

namespace agpt {

/// A context of full depth is known by where it stands in the text of the trie, its window. Nearly all windows are
/// followed by one token only: the walk then copies the text until the next fork, without looking at the trie. Where a
/// fork leads is searched for once and remembered.
template <class Id>
class SuffixWalk {
 public:
  /// Both must outlive it. Throws MemoryCapError.
  SuffixWalk(const TrieIndex& index, const LeafTable& table, uint64_t seed);

  /// Fills the writer and counts into `result`. The text continues `first`, a token that is not written, if there is
  /// one.
  void run(std::optional<Token> first, TextWriter<Id>& writer, Synthesis& result);

 private:
  // What follows a window: a list of followers, where there is a fork, or one of these.
  static constexpr uint32_t kOneToken = LeafTable::kOneFollower, kUnknown = kOneToken - 1, kNoWindow = kOneToken - 2;

  void step_from_context(TextWriter<Id>& writer, Synthesis& result);
  void copy_to_fork(TextWriter<Id>& writer);
  void step_from_fork(TextWriter<Id>& writer, Synthesis& result);
  // Goes to a window with the same tokens of which it is known what follows, or backs off.
  void look_up_window(Synthesis& result);
  // Makes context_ a path of the trie by giving up its first tokens, and enters its window if it is of full depth.
  void settle(Synthesis& result);
  uint32_t window_of_context() const;

  const TrieIndex& index_;
  const LeafTable& table_;
  const std::span<const Id> tokens_;
  const size_t depth_;
  Random random_;
  MemoryReservation reserved_;
  std::vector<uint32_t> follows_;       // by window
  std::vector<uint32_t> window_after_;  // by follower of a fork: the next window, kUnknown or kNoWindow
  uint32_t window_ = kNoWindow;
  std::vector<Token> context_;  // if there is no window
};

extern template class SuffixWalk<uint8_t>;
extern template class SuffixWalk<uint16_t>;
extern template class SuffixWalk<uint32_t>;

}  // namespace agpt
