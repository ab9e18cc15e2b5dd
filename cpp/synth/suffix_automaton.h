// The suffix automaton of a text (Blumer et al. 1985): reads any other text and knows after each token the longest
// stretch that has just been read and occurs in its own.
#pragma once

#include <functional>
#include <span>
#include <vector>

#include "cpp/base/memory.h"
#include "cpp/base/types.h"

namespace agpt {

/// Built in time linear in the text, up to the hash table's chance. Takes about 50 bytes for each token.
template <class Id>
class SuffixAutomaton {
 public:
  /// `text` must outlive it, and have fewer than 2^31 tokens. report(n) is called for every token read. Throws
  /// MemoryCapError.
  SuffixAutomaton(std::span<const Id> text, const std::function<void(size_t)>& report);

  /// A stretch that was just read: its length, and where in the text it occurs first.
  struct Match {
    uint32_t state = 0;
    uint32_t length = 0;
  };
  /// The longest suffix of the stretch and `next` that occurs in the text.
  Match extend(Match match, Token next) const;
  /// Where the match, not an empty one, begins for the first time in the text.
  uint32_t begin(Match match) const { return states_[match.state].first_end + 1 - match.length; }

 private:
  static constexpr uint32_t kRoot = 0, kNone = ~uint32_t{0};

  // The strings that end at the same places. By far most states can be left by one token only, the one behind their
  // first end: that way is in the state. The others are in a hash table.
  struct State {
    uint32_t length;     // of the longest string
    uint32_t link;       // the state of its longest suffix that ends at more places
    uint32_t first_end;  // where it ends first; kNone for the root
    uint32_t next;       // the state after the token behind first_end, or kNone
    uint32_t ways;       // the first of the other ways out, or kNone
  };
  struct Way {
    uint32_t state;
    Token token;
    uint32_t target;
    uint32_t next;  // of the same state, or kNone
  };

  void append(uint32_t at);
  uint32_t clone(uint32_t state, uint32_t length);
  bool is_inline(uint32_t state, Token token) const {
    const size_t behind = size_t{states_[state].first_end} + 1;
    return state != kRoot && behind < text_.size() && text_[behind] == token;
  }
  uint32_t target(uint32_t state, Token token) const;
  void set_target(uint32_t state, Token token, uint32_t target);
  void add_way(uint32_t state, Token token, uint32_t target);
  // The place in slots_ of a way, or the free one where it belongs.
  size_t slot(uint32_t state, Token token) const;
  void grow_slots();

  std::span<const Id> text_;
  MemoryReservation reserved_;
  std::vector<State> states_;
  uint32_t last_ = kRoot;  // the state of the whole text so far
  std::vector<Way> ways_;
  std::vector<uint32_t> slots_;  // open addressing: numbers of ways, or kNone
};

extern template class SuffixAutomaton<uint8_t>;
extern template class SuffixAutomaton<uint16_t>;
extern template class SuffixAutomaton<uint32_t>;

}  // namespace agpt
