// What a model is: every choice of architecture that the engine knows, and the checks that they fit together.
#pragma once

#include <string>
#include <vector>

#include "cpp/base/types.h"

namespace agpt {

/// y = (x - mean) / sqrt(var + eps) for layer_norm, x / sqrt(mean(x^2) + eps) for rms_norm, per row, biased variance.
enum class Norm { layer_norm, rms_norm };

/// rope rotates the pairs (2i, 2i+1) of each head by position / base^(2i / head width); the odd last column of a head
/// of odd width is left alone. learned adds a row of a table to the embedding.
enum class Position { rope, learned, none };

/// relu_squared is max(0, x)^2; gelu is x * Phi(x) with the exact normal distribution.
enum class Activation { relu, relu_squared, gelu };

/// microgpt: linear weights N(0, 2 / inputs), embeddings N(0, 1 / d_model). gpt2: N(0, 0.02), the two projections into
/// the residual stream divided by sqrt(2 * layers). karpathy_a: N(0, 0.02) with those two projections zero.
/// karpathy_b: N(0, 0.08) everywhere. Biases start at 0 and norm gains at 1 in all of them.
enum class Initialisation { microgpt, gpt2, karpathy_a, karpathy_b };

/// A decoder-only transformer, pre-norm:
///   x = embedding[token] (+ position table) (normed if embedding_norm)
///   x = x + concat_h(softmax(q_h k_h' / sqrt(width_h)) v_h) W_output,   q, k, v = norm1(x) W_qkv
///   x = x + activation(norm2(x) W_up) W_down
///   logits = final_norm(x) W_head
struct ModelConfig {
  Index vocab_size = 0;
  int context = 0;   ///< Largest number of positions; position indices are 0 .. context-1.
  int d_model = 64;  ///< Width of the residual stream.
  int n_layers = 2;
  std::vector<int> heads;  ///< Widths of the attention heads; they sum to d_model.
  int d_ff = 256;          ///< Width of the hidden layer of the MLP.
  Norm norm = Norm::layer_norm;
  bool norm_gain = true;  ///< A learned factor per column behind each norm.
  bool norm_bias = true;  ///< A learned shift per column behind each norm.
  double norm_epsilon = 1e-5;
  bool bias = true;       ///< Biases in all linear layers.
  bool head_bias = true;  ///< With `bias`: in the head, too.
  Position position = Position::rope;
  double rope_base = 10000;
  Activation activation = Activation::relu;
  bool embedding_norm = false;
  bool final_norm = true;
  bool tied_head = false;  ///< The head is the transposed embedding.
  Initialisation initialisation = Initialisation::microgpt;

  /// Throws ArgumentError for the first choice that does not fit.
  void validate() const;
};

}  // namespace agpt
