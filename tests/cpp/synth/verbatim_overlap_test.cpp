// Overlaps against all stretches of small texts, compared one by one.
#include "cpp/synth/verbatim_overlap.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <utility>

#include "cpp/base/random.h"

namespace agpt {
namespace {

using Text = std::vector<uint16_t>;

Text random_text(Random& random, size_t n, uint64_t n_letters) {
  Text text(n);
  for (uint16_t& token : text) token = static_cast<uint16_t>(random.below(n_letters));
  return text;
}

VerbatimOverlap measure(const Text& corpus, const Text& text) {
  return measure_verbatim_overlap(TokenView(std::span<const uint16_t>(corpus)),
                                  TokenView(std::span<const uint16_t>(text)));
}

// The longest stretch of `text` that ends before `end` and occurs in `corpus`.
uint32_t longest_ending_before(size_t end, const Text& text, const Text& corpus) {
  const auto last = text.begin() + static_cast<std::ptrdiff_t>(end);
  size_t length = 0;
  while (length < end && std::search(corpus.begin(), corpus.end(), last - static_cast<std::ptrdiff_t>(length + 1),
                                     last) != corpus.end())
    ++length;
  return static_cast<uint32_t>(length);
}

void check(const Text& corpus, const Text& text) {
  const VerbatimOverlap overlap = measure(corpus, text);
  uint32_t longest = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    REQUIRE(overlap.lengths[i] == longest_ending_before(i + 1, text, corpus));
    longest = std::max(longest, overlap.lengths[i]);
  }
  REQUIRE(overlap.longest == longest);
  const auto in_text = text.begin() + overlap.longest_at;
  const auto found = std::search(corpus.begin(), corpus.end(), in_text, in_text + longest);
  REQUIRE(overlap.longest_in_corpus == (longest == 0 ? 0 : found - corpus.begin()));
  REQUIRE(overlap.lengths.size() == text.size());
}

TEST_CASE("overlaps are those that a search for every stretch finds, and the longest is where it says") {
  Random random(1);
  for (int round = 0; round < 400; ++round) {
    const uint64_t n_letters = 1 + random.below(5);
    check(random_text(random, random.below(40), n_letters), random_text(random, random.below(60), n_letters + 1));
  }
}

TEST_CASE("overlaps in repetitive texts, with themselves and with an empty one") {
  const Text same(50, 3);
  check(same, Text(120, 3));
  Text fibonacci = {0}, before = {1};
  while (fibonacci.size() < 150) {
    Text longer = fibonacci;
    longer.insert(longer.end(), before.begin(), before.end());
    before = std::exchange(fibonacci, longer);
  }
  check(fibonacci, fibonacci);
  check(before, fibonacci);
  check({}, same);
  check(same, {});
}

TEST_CASE("a text of many different tokens overlaps with itself as a whole") {
  Random random(2);
  const Text text = random_text(random, 5000, 3000);
  const VerbatimOverlap overlap = measure(text, text);
  CHECK(overlap.longest == 5000);
  for (uint32_t i = 0; i < 5000; ++i) CHECK(overlap.lengths[i] == i + 1);
}

TEST_CASE("tokens that the corpus is too narrow for match nothing") {
  const std::vector<uint8_t> corpus = {1, 2, 3};
  const Text text = {1, 2, 258, 2, 3};
  const VerbatimOverlap overlap =
      measure_verbatim_overlap(TokenView(std::span<const uint8_t>(corpus)), TokenView(std::span<const uint16_t>(text)));
  CHECK(overlap.lengths == std::vector<uint32_t>{1, 2, 0, 1, 2});
}

TEST_CASE("the progress of overlaps ends at 1, and what it throws ends the work") {
  const Text text(600'000, 1);
  std::vector<double> seen;
  const TokenView view{std::span<const uint16_t>(text)};
  measure_verbatim_overlap(view, view, [&](double fraction) { seen.push_back(fraction); });
  CHECK(seen.size() > 2);
  CHECK(std::is_sorted(seen.begin(), seen.end()));
  CHECK(seen.back() == 1);
  CHECK_THROWS_AS(measure_verbatim_overlap(view, view, [](double) { throw 1; }), int);
}

}  // namespace
}  // namespace agpt
