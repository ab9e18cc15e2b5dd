#include "cpp/base/random.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <set>
#include <vector>

namespace agpt::test {
namespace {

TEST_CASE("the generators give their published sequences, so seeds mean the same on every machine") {
  constexpr uint64_t kStep = 0x9e3779b97f4a7c15u;  // SplitMix64 advances its state by this before mixing
  CHECK(mix_bits(0) == 0xe220a8397b1dcdafu);
  CHECK(mix_bits(kStep) == 0x6e789e6aa1b965f4u);
  CHECK(mix_bits(2 * kStep) == 0x06c45d188009454fu);
  Random zero(0), other(12345);
  for (const uint64_t bits : {0x99ec5f36cb75f2b4u, 0xbf6e1f784956452au, 0x1a5f849d4933e6e0u})
    CHECK(zero.next_bits() == bits);
  for (const uint64_t bits : {0xbe6a36374160d49bu, 0x214aaa0637a688c6u, 0xf69d16de9954d388u})
    CHECK(other.next_bits() == bits);
}

TEST_CASE("a copy continues the same stream, kept normal deviate included") {
  Random original(7);
  original.normal();
  Random copy = original;
  for (int i = 0; i < 20; ++i) {
    CHECK(copy.normal() == original.normal());
    CHECK(copy.uniform() == original.uniform());
    CHECK(copy.below(1000) == original.below(1000));
  }
}

TEST_CASE("uniform numbers lie in [0, 1) with the moments of the uniform distribution") {
  Random random(1);
  constexpr int kDraws = 200000;
  double sum = 0, squares = 0;
  bool inside = true;
  for (int i = 0; i < kDraws; ++i) {
    const double value = random.uniform();
    inside = inside && value >= 0 && value < 1;
    sum += value;
    squares += value * value;
  }
  CHECK(inside);
  CHECK(sum / kDraws == doctest::Approx(0.5).epsilon(0.005));  // the deviation of the mean is 0.0013 of it
  CHECK(squares / kDraws == doctest::Approx(1.0 / 3).epsilon(0.01));
}

TEST_CASE("below(bound) gives each number below the bound equally often, and never the bound") {
  Random random(2);
  for (const uint64_t bound : {1u, 2u, 3u, 5u, 7u, 64u, 65u}) {
    CAPTURE(bound);
    const double expected = 2000;
    std::vector<double> counts(bound, 0);
    for (uint64_t i = 0; i < 2000 * bound; ++i) {
      const uint64_t value = random.below(bound);
      REQUIRE(value < bound);
      ++counts[value];
    }
    for (const double count : counts) CHECK(std::abs(count - expected) < 6 * std::sqrt(expected));
  }
}

TEST_CASE("below(bound) is unbiased where the bound is far from a power of two and near 2^64") {
  // Taking bits modulo 3 * 2^62 would put half of the draws into the lowest third.
  Random random(3);
  const uint64_t third = uint64_t{1} << 62;
  double counts[3] = {};
  constexpr int kDraws = 30000;
  for (int i = 0; i < kDraws; ++i) {
    const uint64_t value = random.below(3 * third);
    REQUIRE(value < 3 * third);
    ++counts[value / third];
  }
  for (const double count : counts) CHECK(std::abs(count - kDraws / 3.0) < 6 * std::sqrt(kDraws / 3.0));
}

TEST_CASE("normal deviates have mean 0, variance 1, kurtosis 3, and neighbours are uncorrelated") {
  Random random(4);
  constexpr int kDraws = 200000;
  double sum = 0, squares = 0, fourths = 0, products = 0, last = 0;
  for (int i = 0; i < kDraws; ++i) {
    const double value = random.normal();
    REQUIRE(std::isfinite(value));
    sum += value;
    squares += value * value;
    fourths += value * value * value * value;
    products += value * last;
    last = value;
  }
  CHECK(std::abs(sum / kDraws) < 0.014);  // six deviations
  CHECK(squares / kDraws == doctest::Approx(1).epsilon(0.02));
  CHECK(fourths / kDraws == doctest::Approx(3).epsilon(0.05));
  CHECK(std::abs(products / kDraws) < 0.014);
}

TEST_CASE("a permutation of any size hits every number exactly once") {
  for (uint64_t n = 1; n <= 300; ++n) {
    for (const uint64_t seed : {uint64_t{0}, uint64_t{1}, mix_bits(n)}) {
      const Permutation permutation(n, seed);
      std::vector<bool> hit(n, false);
      for (uint64_t i = 0; i < n; ++i) {
        const uint64_t image = permutation(i);
        REQUIRE(image < n);
        REQUIRE_FALSE(hit[image]);
        hit[image] = true;
      }
    }
  }
}

TEST_CASE("a permutation of a huge range stays inside it and gives no number twice") {
  for (const uint64_t n : {(uint64_t{1} << 40) - 1, uint64_t{1} << 40, (uint64_t{1} << 40) + 1}) {
    const Permutation permutation(n, 5);
    std::set<uint64_t> images;
    for (uint64_t i = 0; i < 2000; ++i) images.insert(permutation(i * (n / 2000)));
    CHECK(images.size() == 2000);
    CHECK(*images.rbegin() < n);
  }
}

TEST_CASE("the seed chooses the permutation, and the same seed the same one") {
  constexpr uint64_t kSize = 1000;
  const Permutation first(kSize, 1), again(kSize, 1), other(kSize, 2);
  int equal = 0;
  for (uint64_t i = 0; i < kSize; ++i) {
    CHECK(first(i) == again(i));
    equal += first(i) == other(i);
  }
  CHECK(equal < 12);  // two random orders agree in one place on average
}

TEST_CASE("over many seeds every number lands everywhere about equally often") {
  constexpr uint64_t kSize = 5, kSeeds = 5000;
  double counts[kSize][kSize] = {};
  for (uint64_t seed = 0; seed < kSeeds; ++seed) {
    const Permutation permutation(kSize, seed);
    for (uint64_t i = 0; i < kSize; ++i) ++counts[i][permutation(i)];
  }
  const double expected = static_cast<double>(kSeeds) / kSize;
  for (const auto& row : counts)
    for (const double count : row) CHECK(std::abs(count - expected) < 6 * std::sqrt(expected));
}

}  // namespace
}  // namespace agpt::test
