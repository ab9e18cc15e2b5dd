// How the next token is drawn from logits: temperature, top-k, top-p, the repetition penalty.
#pragma once

#include <functional>
#include <span>

#include "cpp/base/types.h"

namespace agpt {

struct GenerationConfig {
  Index max_tokens = 200;       ///< New tokens of each sample.
  double temperature = 1;       ///< Logits are divided by it; 0 takes the most probable token.
  Index top_k = 0;              ///< Only the k most probable tokens; 0 is off.
  double top_p = 1;             ///< Only the fewest most probable tokens that have this share together; 1 is off.
  int64_t stop_token = -1;      ///< A sample ends before this token; -1 is none.
  int64_t excluded_token = -1;  ///< Is never drawn; -1 is none.
  Index n_samples = 1;
  uint64_t seed = 0;
  double repetition_penalty = 1;  ///< Logits of recent tokens are divided by it, negative ones multiplied; 1 is off.
  Index repetition_window = 32;   ///< How many tokens are recent, those of the prompt included.
  Index reread_tokens = 0;        ///< How many tokens are read again when the context is full; 0 is half of it.
  int64_t restart_token = -1;     ///< What stands before those, at position 0; -1 is nothing.
  /// Draws in [0, 1) in place of those of the seed: one a token, in the order in which tokens are made.
  std::function<double()> uniform = nullptr;

  void validate() const;
};

/// l / penalty for positive logits l and l * penalty for others, once for every time that a token occurs in `recent`.
void penalise_repetition(std::span<double> logits, std::span<const Token> recent, double penalty);

/// Draws a token from logits (vocabulary), which are changed on the way, as `config` says: by inverting the cumulative
/// distribution in the order of the tokens (with top_k, which keeps ties, or top_p: of falling probability). Calls
/// uniform, for a number in [0, 1), at most once. NonFiniteError for logits of a model that diverged.
Token sample_token(std::span<double> logits, const GenerationConfig& config, const std::function<double()>& uniform);

}  // namespace agpt
