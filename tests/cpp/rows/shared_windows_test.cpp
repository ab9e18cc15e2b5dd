#include "cpp/rows/shared_windows.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <set>

#include "cpp/base/random.h"

namespace agpt {
namespace {

std::vector<uint16_t> random_text(Index n, Random& random) {
  std::vector<uint16_t> text(static_cast<size_t>(n));
  for (uint16_t& token : text) token = static_cast<uint16_t>(random.below(2));
  return text;
}

std::vector<ScoredWindow> random_windows(Index n_tokens, int count, Random& random) {
  std::vector<ScoredWindow> windows;
  for (int w = 0; w < count; ++w) {
    const auto size = static_cast<Index>(2 + random.below(9));
    const auto begin = static_cast<Index>(random.below(static_cast<uint64_t>(n_tokens - size)));
    windows.push_back({begin, begin + size, static_cast<Index>(random.below(static_cast<uint64_t>(size)))});
  }
  return windows;
}

// What a row reads, its own token last.
std::vector<int32_t> path_of(const RowBatch& batch, int32_t row) {
  std::vector<int32_t> path;
  for (; row >= 0; row = batch.parent[static_cast<size_t>(row)]) path.push_back(batch.token[static_cast<size_t>(row)]);
  std::reverse(path.begin(), path.end());
  return path;
}

TEST_CASE("each window predicts its scored tokens from all that it read before them, and context rows come first") {
  Random random(1);
  for (int round = 0; round < 30; ++round) {
    const std::vector<uint16_t> text = random_text(40, random);
    const TokenView view{std::span(text)};
    std::vector<ScoredWindow> windows = random_windows(40, 7, random);
    if (round % 2 == 0) sort_by_beginning(view, windows);
    std::multiset<std::vector<int32_t>> expected, found;
    for (const ScoredWindow& window : windows)
      for (Index i = window.first_scored; window.begin + i + 1 < window.end; ++i)
        expected.emplace(text.begin() + window.begin, text.begin() + window.begin + i + 2);
    RowBatch batch;
    append_shared_windows(view, windows, batch);
    for (int32_t row = 0; row < batch.n_rows(); ++row) {
      const auto path = path_of(batch, row);
      CHECK(batch.position[static_cast<size_t>(row)] + 1 == static_cast<int32_t>(path.size()));
      CHECK(batch.is_ghost(row) == (row < batch.n_leading_ghosts));
      if (batch.is_ghost(row)) continue;
      std::vector<int32_t> with_target = path;
      with_target.push_back(batch.target_token[static_cast<size_t>(batch.target_begin[static_cast<size_t>(row)])]);
      found.insert(with_target);
    }
    CHECK(found == expected);
  }
}

TEST_CASE("sorted windows have as many context rows as their contexts have different beginnings") {
  Random random(2);
  const std::vector<uint16_t> text = random_text(200, random);
  const TokenView view{std::span(text)};
  std::vector<ScoredWindow> windows;
  std::set<std::vector<uint16_t>> beginnings;
  for (Index begin = 0; begin + 7 < 200; ++begin) {
    windows.push_back({begin, begin + 7, 5});
    for (Index n = 1; n <= 5; ++n) beginnings.emplace(text.begin() + begin, text.begin() + begin + n);
  }
  sort_by_beginning(view, windows);
  RowBatch batch;
  append_shared_windows(view, windows, batch);
  CHECK(batch.n_leading_ghosts == static_cast<Index>(beginnings.size()));
  CHECK(batch.n_positions == static_cast<Index>(windows.size()));
}

}  // namespace
}  // namespace agpt
