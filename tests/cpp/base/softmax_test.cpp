#include "cpp/base/softmax.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <vector>

#include "cpp/base/random.h"

namespace agpt {
namespace {

TEST_CASE("exponentials are right to a relative 4e-16 wherever they are normal numbers, in rows of any length") {
  for (const size_t n : {1, 2, 3, 65, 20000}) {
    std::vector<double> x(n), y;
    for (size_t i = 0; i < n; ++i)
      x[i] = n == 1 ? 0 : -700 + 1400 * static_cast<double>(i) / static_cast<double>(n - 1);
    y = x;
    exponentials(y);
    double worst = 0;
    for (size_t i = 0; i < n; ++i) worst = std::max(worst, std::abs(y[i] / std::exp(x[i]) - 1));
    CHECK(worst < 4e-16);
  }
}

TEST_CASE("exponentials have the same bits for every width of vectors") {
  Random random(2);
  for (size_t n = 1; n < 70; ++n) {
    std::vector<double> x(n), by_pairs;
    for (double& value : x) value = -300 * std::abs(random.normal());
    by_pairs = x;
    exponentials(x);
    exponentials_by_two(by_pairs);
    CHECK(x == by_pairs);
  }
}

TEST_CASE("the largest number and the sum are those of a plain loop, in rows of any length") {
  Random random(1);
  for (size_t n = 1; n < 40; ++n) {
    std::vector<double> x(n);
    for (double& value : x) value = random.normal();
    CHECK(largest(x) == *std::max_element(x.begin(), x.end()));
    CHECK(sum(x) == doctest::Approx(std::accumulate(x.begin(), x.end(), 0.0)).epsilon(1e-14).scale(1));
  }
}

TEST_CASE("e^0 is 1 exactly, and what underflows is 0") {
  std::vector<double> x = {0, -701, -1e300, -std::numeric_limits<double>::infinity()};
  exponentials(x);
  CHECK(x == std::vector<double>{1, 0, 0, 0});
}

}  // namespace
}  // namespace agpt
