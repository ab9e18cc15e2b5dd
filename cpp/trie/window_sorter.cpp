#include "cpp/trie/window_sorter.h"

#include <functional>

namespace agpt {

WindowSorter::WindowSorter(const PackedText& text, int depth)
    : text_(text),
      cap_bits_(static_cast<uint32_t>(depth + 1) * text.token_bits()),
      full_(static_cast<uint8_t>(depth + 1)),
      tokens_of_bits_(cap_bits_ + 65) {
  for (size_t bits = 0; bits < tokens_of_bits_.size(); ++bits)
    tokens_of_bits_[bits] = static_cast<uint8_t>(std::min<size_t>(bits / text.token_bits(), full_));
}

void WindowSorter::sort(uint32_t* positions, uint8_t* common, uint32_t n, uint32_t bit) {
  for (; n > 1; bit += 64) {  // once more round: all windows were equal
    if (bit >= cap_bits_) {
      std::fill(common + 1, common + n, full_);
      return;
    }
    if (n == 2) return sort_two(positions, common, bit);
    if (n <= kSmall) return sort_small(positions, common, n, bit);
    if (n >= kPeriodic && sort_periodic(positions, common, n, bit)) return;
    if (n <= kMedium ? sort_medium(positions, common, n, bit) : sort_large(positions, common, n, bit)) return;
  }
}

void WindowSorter::sort_two(uint32_t* positions, uint8_t* common, uint32_t bit) const {
  for (; bit < cap_bits_; bit += 64) {
    const uint64_t a = text_.window(positions[0], bit), b = text_.window(positions[1], bit);
    const uint64_t difference = (a ^ b) & mask_at(bit);
    if (difference == 0) continue;
    common[1] = tokens_of_bits_[bit + static_cast<uint32_t>(std::countl_zero(difference))];
    if (a > b) std::swap(positions[0], positions[1]);
    return;
  }
  common[1] = full_;
}

void WindowSorter::rank_sort(Run in, uint32_t n, Run out) {
  uint64_t place[kSmall] = {};
  for (uint32_t i = 1; i < n; ++i) {
    const uint64_t window = in.window[i];
    uint64_t n_greater = 0;
    for (uint32_t j = 0; j < i; ++j) {
      const uint64_t greater = in.window[j] > window;  // equal windows keep their order
      place[j] += greater;
      n_greater += greater;
    }
    place[i] = i - n_greater;
  }
  for (uint32_t i = 0; i < n; ++i) {
    out.window[place[i]] = in.window[i];
    out.position[place[i]] = in.position[i];
  }
}

void WindowSorter::sort_small(uint32_t* positions, uint8_t* common, uint32_t n, uint32_t bit) {
  uint64_t windows[kSmall], sorted[kSmall] = {};
  uint32_t unsorted[kSmall];
  const uint64_t mask = mask_at(bit);
  for (uint32_t i = 0; i < n; ++i) {
    windows[i] = masked_window(positions[i], bit, mask);
    unsorted[i] = positions[i];
  }
  rank_sort({windows, unsorted}, n, {sorted, positions});
  finish(sorted, positions, common, n, bit);
}

bool WindowSorter::sort_medium(uint32_t* positions, uint8_t* common, uint32_t n, uint32_t bit) {
  if (windows_.empty()) {
    windows_.resize(kMedium);
    spare_windows_.resize(kMedium);
    spare_positions_.resize(kMedium);
  }
  const uint64_t mask = mask_at(bit);
  const uint64_t first = masked_window(positions[0], bit, mask);
  uint64_t difference = 0;
  for (uint32_t i = 0; i < n; ++i) {
    windows_[i] = masked_window(positions[i], bit, mask);
    difference |= windows_[i] ^ first;
  }
  if (difference == 0) return false;
  const auto lead = static_cast<uint32_t>(std::countl_zero(difference));
  radix_sort({windows_.data(), positions}, {spare_windows_.data(), spare_positions_.data()}, n, lead, true);
  finish(windows_.data(), positions, common, n, bit);
  return true;
}

// Sorts by the byte that begins `lead` bits into the window, from one run to the other, and goes on inside each bucket
// the other way round.
void WindowSorter::radix_sort(Run run, Run spare, uint32_t n, uint32_t lead, bool result_in_run) {
  const bool last = lead + 8 >= 64;
  const auto digit = [lead](uint64_t window) { return (window << lead) >> 56; };
  uint32_t begin[257] = {};
  for (uint32_t i = 0; i < n; ++i) ++begin[digit(run.window[i]) + 1];
  if (begin[digit(run.window[0]) + 1] == n && !last) return radix_sort(run, spare, n, lead + 8, result_in_run);
  for (uint32_t d = 0; d < 256; ++d) begin[d + 1] += begin[d];
  uint32_t next[256];
  std::copy(begin, begin + 256, next);
  for (uint32_t i = 0; i < n; ++i) {
    const uint32_t to = next[digit(run.window[i])]++;
    spare.window[to] = run.window[i];
    spare.position[to] = run.position[i];
  }
  for (uint32_t d = 0; d < 256; ++d) {
    const uint32_t size = begin[d + 1] - begin[d];
    if (size == 0) continue;
    const Run to = run.from(begin[d]), from = spare.from(begin[d]);
    if (size > kSmall && !last) {
      radix_sort(from, to, size, lead + 8, !result_in_run);
      continue;
    }
    const bool in_spare = size == 1 || last;
    if (!in_spare) rank_sort(from, size, to);
    if (in_spare == result_in_run) {  // it lies in the other run than it should
      const Run source = in_spare ? from : to, target = in_spare ? to : from;
      std::copy_n(source.window, size, target.window);
      std::copy_n(source.position, size, target.position);
    }
  }
}

void WindowSorter::finish(const uint64_t* windows, uint32_t* positions, uint8_t* common, uint32_t n, uint32_t bit) {
  bool ties = false;  // they are sorted in a second pass, because that uses the array of windows again
  for (uint32_t i = 1; i < n; ++i) {
    const uint64_t difference = windows[i] ^ windows[i - 1];
    common[i] = difference ? tokens_of_bits_[bit + static_cast<uint32_t>(std::countl_zero(difference))] : kTie;
    ties |= difference == 0;
  }
  if (!ties) return;
  for (uint32_t i = 1; i < n; ++i) {
    if (common[i] != kTie) continue;
    uint32_t end = i + 1;
    while (end < n && common[end] == kTie) ++end;
    sort(positions + i - 1, common + i - 1, end - i + 1, bit + 64);
    i = end;
  }
}

uint32_t WindowSorter::shared_bits(const uint32_t* positions, uint32_t n, uint32_t bit) const {
  const uint64_t mask = mask_at(bit);
  const uint64_t first = masked_window(positions[0], bit, mask);
  uint64_t difference = 0;
  for (uint32_t i = 0; i < 64; ++i) difference |= masked_window(positions[i * (n / 64)], bit, mask) ^ first;
  if (std::countl_zero(difference) < 8) return 0;  // too few to be worth a pass over the group
  for (uint32_t i = 0; i < n; ++i) difference |= masked_window(positions[i], bit, mask) ^ first;
  return static_cast<uint32_t>(std::countl_zero(difference));
}

bool WindowSorter::sort_large(uint32_t* positions, uint8_t* common, uint32_t n, uint32_t bit) {
  const uint32_t shared = shared_bits(positions, n, bit);
  if (shared == 64) return false;
  const uint32_t lead = std::min(shared, 64 - kDigitBits);
  const uint64_t mask = mask_at(bit);
  constexpr uint32_t kDigits = 1u << kDigitBits;
  std::vector<uint32_t> begin(kDigits + 1, 0);
  if (digits_.size() < n) {
    digits_.resize(n);
    moved_.resize(n);
  }
  for (uint32_t i = 0; i < n; ++i) {
    digits_[i] = static_cast<uint16_t>((masked_window(positions[i], bit, mask) << lead) >> (64 - kDigitBits));
    ++begin[digits_[i] + 1u];
  }
  for (uint32_t d = 0; d < kDigits; ++d) begin[d + 1] += begin[d];
  {
    std::vector<uint32_t> next(begin.begin(), begin.end() - 1);
    for (uint32_t i = 0; i < n; ++i) moved_[next[digits_[i]]++] = positions[i];
  }
  std::copy_n(moved_.begin(), n, positions);
  for (uint32_t d = 0; d < kDigits; ++d) {
    const uint32_t from = begin[d], size = begin[d + 1] - from;
    if (size == 0) continue;
    // Any member of the group before serves: the groups differ in these bits.
    if (from > 0) common[from] = common_tokens(positions[from - 1], positions[from], bit);
    sort(positions + from, common + from, size, bit + lead + kDigitBits);
  }
  return true;
}

// The distance that most neighbours have; 0 if there is none, as far as a sample shows.
uint32_t WindowSorter::usual_distance(const uint32_t* positions, uint32_t n) {
  constexpr uint32_t kSample = 64;
  uint32_t least = ~0u, n_least = 0;
  for (uint32_t i = 0; i < kSample; ++i) {
    const uint32_t at = i * (n / kSample), distance = positions[at + 1] - positions[at];
    if (distance < least) n_least = 0;
    least = std::min(least, distance);
    n_least += distance == least;
  }
  return n_least > kSample / 2 ? least : 0;
}

// All members of the group agree in `known` tokens. A member that is followed by k others, each a distance p <= known
// behind the one before, has period p for k p + known tokens. All that reach depth + 1 so are equal there: they begin
// with the same p tokens. One of them is sorted with the rest of the group and then stands for all.
bool WindowSorter::sort_periodic(uint32_t* positions, uint8_t* common, uint32_t n, uint32_t bit) {
  const uint32_t known = bit / text_.token_bits(), distance = usual_distance(positions, n);
  if (distance == 0 || distance > known || known >= full_) return false;
  const uint32_t enough = (full_ - known + distance - 1) / distance;  // the k that reaches depth + 1
  uint32_t n_periodic = 0;
  const auto classify = [&](auto body) {  // from last to first
    uint32_t n_following = 0;
    for (uint32_t i = n; i-- > 0;) {
      n_following = i + 1 < n && positions[i + 1] - positions[i] == distance ? n_following + 1 : 0;
      body(positions[i], n_following >= enough);
    }
  };
  classify([&](uint32_t, bool is_periodic) { n_periodic += is_periodic; });
  if (n_periodic < n / 2) return false;
  std::vector<uint32_t> others;  // last first
  others.reserve(n - n_periodic + 1);
  uint32_t* tie = positions + n;  // periodic ones gather at the end: what they overwrite has been read
  classify([&](uint32_t position, bool is_periodic) {
    if (is_periodic)
      *--tie = position;
    else
      others.push_back(position);
  });
  const uint32_t least_tie = *tie;
  others.insert(std::lower_bound(others.begin(), others.end(), least_tie, std::greater<>()), least_tie);
  const auto n_sorted = static_cast<uint32_t>(others.size());
  std::reverse_copy(others.begin(), others.end(), positions);  // over the least tie too
  sort(positions, common, n_sorted, bit);
  insert_ties(positions, common, n_sorted, n, least_tie);
  return true;
}

// positions[0 .. n_sorted) are sorted, least_tie among them; the others equal it up to the cap.
void WindowSorter::insert_ties(uint32_t* positions, uint8_t* common, uint32_t n_sorted, uint32_t n,
                               uint32_t least_tie) const {
  const uint32_t n_inserted = n - n_sorted;
  auto begin = static_cast<uint32_t>(std::find(positions, positions + n_sorted, least_tie) - positions);
  uint32_t end = begin + 1;
  while (begin > 0 && common[begin] == full_) --begin;
  while (end < n_sorted && common[end] == full_) ++end;
  std::rotate(positions + end, positions + n_sorted, positions + n);
  std::move_backward(common + end, common + n_sorted, common + n);
  std::fill_n(common + end, n_inserted, full_);
  if (end - begin > 1) std::sort(positions + begin, positions + end + n_inserted);  // in text order
}

}  // namespace agpt
