// The sorter of suffixes against comparing them token by token, above all on texts with periods.
#include "cpp/trie/window_sorter.h"

#include <doctest/doctest.h>

#include <numeric>

#include "cpp/base/random.h"

namespace agpt {
namespace {

// Tokens that suffixes a and b share, up to `most`; the end of the text is no token.
uint32_t shared_tokens(const std::vector<uint8_t>& tokens, size_t a, size_t b, uint32_t most) {
  uint32_t n = 0;
  while (n < most && std::max(a, b) + n < tokens.size() && tokens[a + n] == tokens[b + n]) ++n;
  return n;
}

void check_sort(const std::vector<uint8_t>& tokens, const std::vector<uint32_t>& starts, int depth) {
  ThreadPool pool(1);
  const PackedText text(TokenView(std::span<const uint8_t>(tokens)), depth, pool);
  const auto most = static_cast<uint32_t>(depth + 1);
  std::vector<uint32_t> sorted = starts, expected = starts;
  std::vector<uint8_t> common(starts.size());
  WindowSorter(text, depth).sort(sorted.data(), common.data(), static_cast<uint32_t>(sorted.size()), 0);
  std::stable_sort(expected.begin(), expected.end(), [&](uint32_t a, uint32_t b) {
    const uint32_t n = shared_tokens(tokens, a, b, most);
    if (n == most || std::max(a, b) + n == tokens.size()) return n < most && a > b;  // the shorter comes first
    return tokens[a + n] < tokens[b + n];
  });
  REQUIRE(sorted == expected);
  for (size_t i = 1; i < sorted.size(); ++i)
    REQUIRE(common[i] == shared_tokens(tokens, sorted[i - 1], sorted[i], most));
}

std::vector<uint32_t> every(size_t n, uint32_t stride) {
  std::vector<uint32_t> starts;
  for (size_t i = 0; i < n; i += stride) starts.push_back(static_cast<uint32_t>(i));
  return starts;
}

TEST_CASE("suffixes of periodic texts with faults are sorted as if compared one by one, ties in text order") {
  Random random(1);
  for (int trial = 0; trial < 60; ++trial) {
    CAPTURE(trial);
    const size_t period = 1 + random.below(trial % 3 == 0 ? 40 : 4), n = 2000 + random.below(6000);
    std::vector<uint8_t> tokens(n);
    for (size_t i = 0; i < n; ++i) tokens[i] = static_cast<uint8_t>(i < period ? random.below(3) : tokens[i - period]);
    for (size_t fault = random.below(20); fault > 0; --fault)
      tokens[random.below(n)] = static_cast<uint8_t>(random.below(3));
    check_sort(tokens, every(n, 1 + static_cast<uint32_t>(random.below(3))), 1 + static_cast<int>(random.below(200)));
  }
}

TEST_CASE("suffixes at arbitrary places of a constant text are sorted by their ends alone") {
  Random random(2);
  for (const int depth : {1, 8, 253}) {
    std::vector<uint32_t> starts;
    for (uint32_t i = 0; i < 5000; ++i)
      if (random.below(4) > 0) starts.push_back(i);
    check_sort(std::vector<uint8_t>(5000, 7), starts, depth);
  }
}

}  // namespace
}  // namespace agpt
