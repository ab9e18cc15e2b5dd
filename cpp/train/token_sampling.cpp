#include "cpp/train/token_sampling.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <string>
#include <vector>

#include "cpp/base/error.h"
#include "cpp/base/softmax.h"

namespace agpt {
namespace {

// An excluded token has a logit of -infinity; the largest one is a number all the same.
void require_finite(std::span<const double> logits, double top) {
  int64_t n_nan = 0;  // a count, for then the loop is one over vectors
  for (const double logit : logits) n_nan += std::isnan(logit);
  if (n_nan > 0 || !std::isfinite(top))
    throw NonFiniteError("the logits of the next token are not finite: the model diverged, use one from before that");
}

// The numbers become e^((x - top) / temperature). Returns their sum.
double take_shares(std::span<double> values, double top, double temperature) {
  const double scale = 1 / temperature;
  for (double& value : values) value = (value - top) * scale;
  exponentials(values);
  return sum(values);
}

// The first place up to which the shares have more than `left` together.
size_t place_of(std::span<const double> shares, double left) {
  for (size_t i = 0; i < shares.size(); ++i) {
    left -= shares[i];
    if (left < 0) return i;
  }
  size_t last = shares.size() - 1;
  while (shares[last] == 0) --last;  // rounding left a rest, which falls to a token that can be drawn
  return last;
}

// The k tokens with the largest logits, and those that tie with the last of them, by falling logit; all where k is 0.
std::vector<size_t> most_probable(std::span<const double> logits, size_t k) {
  std::vector<size_t> order(logits.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) { return logits[a] > logits[b]; });
  if (k > 0 && k < order.size()) {
    while (k < order.size() && logits[order[k]] == logits[order[k - 1]]) ++k;
    order.resize(k);
  }
  return order;
}

// sample_token() from a part of the vocabulary.
Token sample_of_most_probable(std::span<const double> logits, double top, const GenerationConfig& config,
                              const std::function<double()>& uniform) {
  const std::vector<size_t> order = most_probable(logits, static_cast<size_t>(config.top_k));
  std::vector<double> share;
  for (const size_t token : order) share.push_back(logits[token]);
  double total = take_shares(share, top, config.temperature);
  if (config.top_p < 1) {
    double reached = 0;
    size_t kept = 0;
    while (kept < share.size() && reached < config.top_p * total) reached += share[kept++];
    share.resize(kept);
    total = reached;
  }
  return static_cast<Token>(order[place_of(share, total * uniform())]);
}

}  // namespace

void GenerationConfig::validate() const {
  AGPT_REQUIRE(max_tokens >= 0, "the number of new tokens must be at least 0");
  AGPT_REQUIRE(temperature >= 0 && std::isfinite(temperature), "the temperature must be a number of at least 0");
  AGPT_REQUIRE(top_k >= 0, "top_k must be at least 0 (0 is off)");
  AGPT_REQUIRE(top_p > 0 && top_p <= 1, "top_p must be above 0 and at most 1 (1 is off)");
  AGPT_REQUIRE(n_samples >= 1, "the number of samples must be at least 1");
  AGPT_REQUIRE(repetition_penalty > 0 && std::isfinite(repetition_penalty),
               "the repetition penalty must be a number above 0 (1 is off)");
  AGPT_REQUIRE(repetition_window >= 1, "the repetition window must be at least 1 token");
  AGPT_REQUIRE(reread_tokens >= 0, "the number of tokens that are read again must be at least 0 (0 is half a context)");
}

void penalise_repetition(std::span<double> logits, std::span<const Token> recent, double penalty) {
  for (const Token token : recent) {
    double& logit = logits[token];
    logit = logit > 0 ? logit / penalty : logit * penalty;
  }
}

Token sample_token(std::span<double> logits, const GenerationConfig& config, const std::function<double()>& uniform) {
  const double top = largest(logits);
  require_finite(logits, top);
  if (config.temperature == 0)
    return static_cast<Token>(std::max_element(logits.begin(), logits.end()) - logits.begin());
  const bool keeps_all = config.top_p == 1 && (config.top_k == 0 || config.top_k >= static_cast<Index>(logits.size()));
  if (!keeps_all) return sample_of_most_probable(logits, top, config, uniform);
  const double total = take_shares(logits, top, config.temperature);
  return static_cast<Token>(place_of(logits, total * uniform()));
}

}  // namespace agpt
