// Shared paths of two texts against dictionaries of all their substrings, with the right counts and the reference's.
#include "cpp/diagnostics/convergence.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <string>

#include "cpp/base/error.h"
#include "cpp/base/memory.h"
#include "cpp/base/random.h"

namespace agpt {
namespace {

using Bytes = std::vector<uint8_t>;

Bytes random_text(Random& random) {
  static constexpr uint8_t kBytes[] = {0, 97, 98, 255};  // the ends of the alphabet sort like the rest
  Bytes text(1 + random.below(80));
  const uint64_t alphabet = 1 + random.below(4);
  for (uint8_t& byte : text) byte = kBytes[random.below(alphabet)];
  return text;
}

// What the definition says of one text, by string.
struct Counts {
  std::map<std::string, Index> occurrences;
  std::map<std::pair<std::string, char>, Index> next, skipped;  // the byte behind a string, and the one behind that

  Counts(const Bytes& bytes, int depth) {
    const std::string text(bytes.begin(), bytes.end());
    for (size_t i = 0; i < text.size(); ++i)
      for (size_t length = 0; length <= static_cast<size_t>(depth) && i + length <= text.size(); ++length) {
        const std::string path = text.substr(i, length);
        ++occurrences[path];
        if (i + length < text.size()) ++next[{path, text[i + length]}];
        if (i + length + 1 < text.size()) ++skipped[{path, text[i + length + 1]}];
      }
  }

  std::vector<double> log_factors(const std::string& path, bool reference_bug) const {
    const auto& followers = reference_bug ? skipped : next;
    std::vector<double> factors;
    for (size_t k = 0; k < path.size(); ++k) {
      const std::string before = path.substr(0, k);
      const auto found = followers.find({before, path[k]});
      const double n = found == followers.end() ? 0 : static_cast<double>(found->second);
      factors.push_back(std::log((n + 1e-6) / (static_cast<double>(occurrences.at(before)) + 256 * 1e-6)));
    }
    return factors;
  }
};

double sum(const std::vector<double>& values) {
  double total = 0;
  for (const double value : values) total += value;
  return total;
}

// Depth first in byte order is the order of a map of strings, which compare as unsigned bytes.
std::vector<std::string> shared_strings(const Counts& a, const Counts& b, Index min_count) {
  std::vector<std::string> paths;
  for (const auto& [path, count] : a.occurrences) {
    const auto other = b.occurrences.find(path);
    if (!path.empty() && other != b.occurrences.end() && std::min(count, other->second) >= min_count)
      paths.push_back(path);
  }
  return paths;
}

void check_against_brute_force(const Bytes& a, const Bytes& b, const ConvergenceOptions& options) {
  const Counts counts_a(a, options.depth), counts_b(b, options.depth);
  const std::vector<std::string> expected = shared_strings(counts_a, counts_b, options.min_count);
  const SharedPaths found = shared_paths(a, b, options);
  REQUIRE(found.depth.size() == expected.size());
  for (size_t i = 0; i < expected.size(); ++i) {
    const std::string& path = expected[i];
    const auto begin = a.begin() + found.start[i];
    CHECK(std::string(begin, begin + found.depth[i]) == path);
    CHECK(found.count_a[i] == counts_a.occurrences.at(path));
    CHECK(found.count_b[i] == counts_b.occurrences.at(path));
    const std::vector<double> factors_a = counts_a.log_factors(path, options.reference_bug);
    const std::vector<double> factors_b = counts_b.log_factors(path, options.reference_bug);
    CHECK(found.log_p_a[i] == doctest::Approx(sum(factors_a)).epsilon(1e-12));
    CHECK(found.log_p_b[i] == doctest::Approx(sum(factors_b)).epsilon(1e-12));
    const double smallest = std::min(*std::min_element(factors_a.begin(), factors_a.end()),
                                     *std::min_element(factors_b.begin(), factors_b.end()));
    CHECK(found.log_p_min[i] == doctest::Approx(smallest).epsilon(1e-12));
  }
}

TEST_CASE("paths, counts and probabilities are those of dictionaries of all substrings") {
  Random random(11);
  for (int round = 0; round < 200; ++round) {
    const Bytes a = random_text(random), b = random_text(random);
    CAPTURE(round);
    check_against_brute_force(a, b,
                              {.depth = 1 + static_cast<int>(random.below(9)),
                               .min_count = 1 + static_cast<Index>(random.below(4)),
                               .reference_bug = round % 2 == 1});
  }
}

TEST_CASE("with the right counts the factors of a path telescope to its relative count") {
  const std::string text = "the cat sat on the mat and the dog sat on the cat";
  const Bytes a(text.begin(), text.end());
  const SharedPaths found = shared_paths(a, a, {.depth = 5, .min_count = 1});
  for (size_t i = 0; i < found.depth.size(); ++i) {
    const double relative_count = found.count_a[i] / static_cast<double>(a.size());
    CHECK(found.log_p_a[i] == doctest::Approx(std::log(relative_count)).epsilon(1e-2));
    CHECK(found.log_p_a[i] == found.log_p_b[i]);
  }
}

TEST_CASE("texts without a byte in common share nothing") {
  const Bytes a = {1, 2, 1}, b = {3, 4, 3};
  CHECK(shared_paths(a, b, {.depth = 3, .min_count = 1}).depth.empty());
}

TEST_CASE("options out of range and empty texts are refused") {
  const Bytes text = {1, 2, 1}, empty;
  CHECK_THROWS_AS(shared_paths(text, text, {.depth = 0}), ArgumentError);
  CHECK_THROWS_AS(shared_paths(text, text, {.depth = 254}), ArgumentError);
  CHECK_THROWS_AS(shared_paths(text, text, {.min_count = 0}), ArgumentError);
  CHECK_THROWS_AS(shared_paths(text, empty, {}), ArgumentError);
  CHECK_THROWS_AS(shared_paths(empty, text, {}), ArgumentError);
}

TEST_CASE("more paths than the memory cap has room for end in an error, and give their memory back") {
  const Bytes text(100'000, 7);  // as many paths as the depth allows, which is few
  Bytes random_bytes(20'000);
  Random random(3);
  for (uint8_t& byte : random_bytes) byte = static_cast<uint8_t>(random.below(4));
  const size_t reserved_before = memory_reserved();
  set_memory_cap(reserved_before + (size_t{4} << 20));
  CHECK(shared_paths(text, text, {.depth = 100}).depth.size() == 100);
  CHECK_THROWS_AS(shared_paths(random_bytes, random_bytes, {.depth = 100, .min_count = 1}), MemoryCapError);
  set_memory_cap(0);
  CHECK(memory_reserved() == reserved_before);
}

}  // namespace
}  // namespace agpt
