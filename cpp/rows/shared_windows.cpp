#include "cpp/rows/shared_windows.h"

#include <algorithm>
#include <cstdint>
#include <utility>

namespace agpt {

namespace {

// The first tokens that a window reads as one number, which is in the order of what it reads; what it does not read
// counts as token 0, the first.
template <class Id>
uint64_t beginning_of(std::span<const Id> text, const ScoredWindow& window) {
  constexpr Index kTokens = sizeof(uint64_t) / sizeof(Id);
  uint64_t beginning = 0;
  for (Index i = window.begin; i < window.begin + kTokens; ++i)
    beginning = beginning << (8 * sizeof(Id)) | (i < window.end - 1 ? text[static_cast<size_t>(i)] : 0);
  return beginning;
}

template <class Id>
bool reads_before(std::span<const Id> text, const ScoredWindow& a, const ScoredWindow& b) {
  const auto from = text.begin();
  const auto [differs, other] = std::mismatch(from + a.begin, from + a.end - 1, from + b.begin, from + b.end - 1);
  const bool a_ends = differs == from + a.end - 1, b_ends = other == from + b.end - 1;
  if (!a_ends && !b_ends) return *differs < *other;
  return a_ends != b_ends ? a_ends : a.begin < b.begin;
}

template <class Id>
void append_windows(std::span<const Id> text, std::span<const ScoredWindow> windows, RowBatch& batch) {
  std::vector<int32_t> path;       // context rows of the window at hand
  std::vector<int32_t> last_rows;  // last context row of every window, -1 for none
  std::span<const Id> before;      // the context of the window before
  for (const ScoredWindow& window : windows) {
    const auto context = text.subspan(static_cast<size_t>(window.begin), static_cast<size_t>(window.first_scored));
    const auto shared = static_cast<size_t>(std::ranges::mismatch(context, before).in1 - context.begin());
    path.resize(shared);
    const int32_t last = batch.append_ghosts(context.subspan(shared), path.empty() ? -1 : path.back());
    for (auto row = static_cast<int32_t>(batch.n_rows() - static_cast<Index>(context.size() - shared)); row <= last;
         ++row)
      path.push_back(row);
    last_rows.push_back(last);
    before = context;
  }
  for (size_t w = 0; w < windows.size(); ++w) {
    const ScoredWindow& window = windows[w];
    int32_t parent = last_rows[w];
    for (Index i = window.first_scored; window.begin + i + 1 < window.end; ++i) {
      const auto at = static_cast<size_t>(window.begin + i);
      parent = batch.begin_row(text[at], static_cast<int32_t>(i), parent);
      batch.add_target(text[at + 1], 1);
      batch.end_row();
    }
  }
}

}  // namespace

void sort_by_beginning(const TokenView& text, std::vector<ScoredWindow>& windows) {
  text.visit([&](auto tokens) {
    std::vector<std::pair<uint64_t, ScoredWindow>> keyed;
    keyed.reserve(windows.size());
    for (const ScoredWindow& window : windows) keyed.emplace_back(beginning_of(tokens, window), window);
    std::sort(keyed.begin(), keyed.end(), [&](const auto& a, const auto& b) {
      return a.first != b.first ? a.first < b.first : reads_before(tokens, a.second, b.second);
    });
    std::ranges::transform(keyed, windows.begin(), [](const auto& entry) { return entry.second; });
  });
}

void append_shared_windows(const TokenView& text, std::span<const ScoredWindow> windows, RowBatch& batch) {
  text.visit([&](auto tokens) { append_windows(tokens, windows, batch); });
}

}  // namespace agpt
