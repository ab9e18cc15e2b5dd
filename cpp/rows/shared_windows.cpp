#include "cpp/rows/shared_windows.h"

#include <algorithm>
#include <utility>

namespace agpt {

void sort_by_beginning(const TokenView& text, std::vector<ScoredWindow>& windows) {
  text.visit([&](auto tokens) {
    std::sort(windows.begin(), windows.end(), [&](const ScoredWindow& a, const ScoredWindow& b) {
      const auto from = tokens.begin();
      const auto [differs, other] = std::mismatch(from + a.begin, from + a.end - 1, from + b.begin, from + b.end - 1);
      const bool a_ends = differs == from + a.end - 1, b_ends = other == from + b.end - 1;
      if (!a_ends && !b_ends) return *differs < *other;
      return a_ends != b_ends ? a_ends : a.begin < b.begin;
    });
  });
}

void append_shared_windows(const TokenView& text, std::span<const ScoredWindow> windows, RowBatch& batch) {
  std::vector<int32_t> path;       // context rows of the window at hand
  std::vector<int32_t> last_rows;  // last context row of every window, -1 for none
  const auto append = [&](Index at, Index position, int32_t parent, bool is_scored) {
    const int32_t row = batch.begin_row(text[at], static_cast<int32_t>(position), parent);
    if (is_scored) batch.add_target(text[at + 1], 1);
    batch.end_row();
    return row;
  };
  const ScoredWindow* before = nullptr;
  for (const ScoredWindow& window : windows) {
    size_t shared = 0;
    const auto most = std::min(path.size(), static_cast<size_t>(window.first_scored));
    while (shared < most &&
           text[window.begin + static_cast<Index>(shared)] == text[before->begin + static_cast<Index>(shared)])
      ++shared;
    path.resize(shared);
    for (auto i = static_cast<Index>(shared); i < window.first_scored; ++i)
      path.push_back(append(window.begin + i, i, path.empty() ? -1 : path.back(), false));
    last_rows.push_back(path.empty() ? -1 : path.back());
    before = &window;
  }
  for (size_t w = 0; w < windows.size(); ++w) {
    int32_t parent = last_rows[w];
    for (Index i = windows[w].first_scored; windows[w].begin + i + 1 < windows[w].end; ++i)
      parent = append(windows[w].begin + i, i, parent, true);
  }
}

}  // namespace agpt
