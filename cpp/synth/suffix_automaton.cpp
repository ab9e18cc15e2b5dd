#include "cpp/synth/suffix_automaton.h"

#include "cpp/base/random.h"

namespace agpt {

template <class Id>
SuffixAutomaton<Id>::SuffixAutomaton(std::span<const Id> text, const std::function<void(size_t)>& report)
    : text_(text), reserved_(text.size() * (2 * sizeof(State) + 2 * sizeof(Way)), "the suffix automaton") {
  states_.reserve(2 * text.size() + 1);
  states_.push_back({0, kNone, kNone, kNone, kNone});
  slots_.assign(1024, kNone);
  for (size_t i = 0; i < text.size(); ++i) {
    append(static_cast<uint32_t>(i));
    report(i + 1);
  }
}

template <class Id>
void SuffixAutomaton<Id>::append(uint32_t at) {
  const Token token = text_[at];
  const auto added = static_cast<uint32_t>(states_.size());
  states_.push_back({at + 1, kRoot, at, kNone, kNone});
  uint32_t state = last_;
  last_ = added;
  uint32_t next = kNone;
  for (; state != kNone && (next = target(state, token)) == kNone; state = states_[state].link)
    set_target(state, token, added);
  if (state == kNone) return;
  const uint32_t length = states_[state].length + 1;
  if (states_[next].length > length) {
    const uint32_t shorter = clone(next, length);
    for (const uint32_t longer = next; state != kNone && target(state, token) == longer; state = states_[state].link)
      set_target(state, token, shorter);
    states_[next].link = shorter;
    next = shorter;
  }
  states_[added].link = next;
}

template <class Id>
uint32_t SuffixAutomaton<Id>::clone(uint32_t state, uint32_t length) {
  const auto copy = static_cast<uint32_t>(states_.size());
  const State original = states_[state];
  states_.push_back({length, original.link, original.first_end, original.next, kNone});
  for (uint32_t way = original.ways; way != kNone; way = ways_[way].next)
    add_way(copy, ways_[way].token, ways_[way].target);
  return copy;
}

template <class Id>
uint32_t SuffixAutomaton<Id>::target(uint32_t state, Token token) const {
  if (is_inline(state, token)) return states_[state].next;
  if (states_[state].ways == kNone) return kNone;
  const uint32_t way = slots_[slot(state, token)];
  return way == kNone ? kNone : ways_[way].target;
}

template <class Id>
void SuffixAutomaton<Id>::set_target(uint32_t state, Token token, uint32_t target) {
  if (is_inline(state, token)) {
    states_[state].next = target;
  } else if (const uint32_t way = slots_[slot(state, token)]; way != kNone) {
    ways_[way].target = target;
  } else {
    add_way(state, token, target);
  }
}

template <class Id>
void SuffixAutomaton<Id>::add_way(uint32_t state, Token token, uint32_t target) {
  if (2 * ways_.size() >= slots_.size()) grow_slots();
  const auto way = static_cast<uint32_t>(ways_.size());
  ways_.push_back({state, token, target, states_[state].ways});
  states_[state].ways = way;
  slots_[slot(state, token)] = way;
}

template <class Id>
size_t SuffixAutomaton<Id>::slot(uint32_t state, Token token) const {
  const size_t mask = slots_.size() - 1;
  size_t slot = mix_bits(uint64_t{state} << 32 | token) & mask;
  while (slots_[slot] != kNone && (ways_[slots_[slot]].state != state || ways_[slots_[slot]].token != token))
    slot = (slot + 1) & mask;
  return slot;
}

template <class Id>
void SuffixAutomaton<Id>::grow_slots() {
  slots_.assign(2 * slots_.size(), kNone);
  for (uint32_t way = 0; way < ways_.size(); ++way) slots_[slot(ways_[way].state, ways_[way].token)] = way;
}

template <class Id>
typename SuffixAutomaton<Id>::Match SuffixAutomaton<Id>::extend(Match match, Token next) const {
  uint32_t found;
  while ((found = target(match.state, next)) == kNone) {
    if (match.state == kRoot) return {};
    match.state = states_[match.state].link;
    match.length = states_[match.state].length;
  }
  return {found, match.length + 1};
}

template class SuffixAutomaton<uint8_t>;
template class SuffixAutomaton<uint16_t>;
template class SuffixAutomaton<uint32_t>;

}  // namespace agpt
