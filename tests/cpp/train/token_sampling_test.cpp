#include "cpp/train/token_sampling.h"

#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <vector>

#include "cpp/base/error.h"
#include "cpp/base/random.h"

namespace agpt {
namespace {

TEST_CASE("no token is drawn from logits that are not finite, but for those of excluded tokens") {
  constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  const auto half = [] { return 0.5; };
  for (const double temperature : {0.0, 1.0}) {
    GenerationConfig config;
    config.temperature = temperature;
    for (std::vector<double> logits :
         {std::vector{kNan, 1.0, 2.0}, {1.0, kNan, 2.0}, {1.0, kInfinity, 2.0}, {-kInfinity, -kInfinity}})
      CHECK_THROWS_AS(sample_token(logits, config, half), NonFiniteError);
    std::vector<double> excluded = {-kInfinity, 1.0};
    CHECK(sample_token(excluded, config, half) == 1);
  }
}

TEST_CASE("sampling follows the softmax, and top-k and top-p cut its tail") {
  const std::vector<double> logits = {0, std::log(2), std::log(4), std::log(1)};  // shares 1 2 4 1 of 8
  const auto shares = [&](GenerationConfig config) {
    Random random(5);
    std::vector<double> count(4);
    for (int i = 0; i < 40000; ++i) {
      std::vector<double> changed = logits;
      ++count[sample_token(changed, config, [&] { return random.uniform(); })];
    }
    for (double& value : count) value /= 40000;
    return count;
  };
  const auto near = [](const std::vector<double>& a, const std::vector<double>& b) {
    for (size_t i = 0; i < a.size(); ++i)
      if (std::abs(a[i] - b[i]) > 0.01) return false;
    return true;
  };
  GenerationConfig config;
  CHECK(near(shares(config), {0.125, 0.25, 0.5, 0.125}));
  config.temperature = 0.5;
  CHECK(near(shares(config), {1 / 22.0, 4 / 22.0, 16 / 22.0, 1 / 22.0}));
  config.temperature = 1;
  config.top_k = 2;
  CHECK(near(shares(config), {0, 1 / 3.0, 2 / 3.0, 0}));
  config.top_k = 3;  // the tokens 0 and 3 are as probable
  CHECK(near(shares(config), {0.125, 0.25, 0.5, 0.125}));
  config.top_k = 0;
  config.top_p = 0.8;
  CHECK(near(shares(config), {1 / 7.0, 2 / 7.0, 4 / 7.0, 0}));
  config.top_p = 0.3;
  CHECK(near(shares(config), {0, 0, 1, 0}));
}

TEST_CASE("a penalty divides positive logits and multiplies others, once for every time that a token occurred") {
  std::vector<double> logits = {1, -1, 0, 4};
  penalise_repetition(logits, std::vector<Token>{0, 1, 2, 1}, 2);
  CHECK(logits == std::vector<double>{0.5, -4, 0, 4});
  penalise_repetition(logits, std::vector<Token>{0, 3}, 1);
  CHECK(logits == std::vector<double>{0.5, -4, 0, 4});
}

}  // namespace
}  // namespace agpt
