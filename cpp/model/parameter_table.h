// Where each parameter of a model lies in its one flat buffer, under which name and shape, and how it is initialised.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "cpp/base/types.h"
#include "cpp/model/model_config.h"

namespace agpt {

/// One tensor of parameters, row-major in the flat buffer. A vector has one row.
struct Parameter {
  std::string name;
  Index offset = 0, rows = 0, columns = 0;
  bool is_vector = false;

  Index size() const { return rows * columns; }
};

constexpr int kNoParameter = -1;

/// Numbers of parameters in the table; kNoParameter where the model has none.
struct NormParameters {
  int gain = kNoParameter, bias = kNoParameter;
};
struct LinearParameters {
  int weight = kNoParameter, bias = kNoParameter;  // weight (inputs, outputs), bias (outputs)
};
struct BlockParameters {
  NormParameters norm1;
  LinearParameters qkv;     // (d_model, 3 * d_model): the columns of q, then of k, then of v, heads side by side
  LinearParameters output;  // (d_model, d_model)
  NormParameters norm2;
  LinearParameters up;    // (d_model, d_ff)
  LinearParameters down;  // (d_ff, d_model)
};

class ParameterTable {
 public:
  /// Validates the configuration. The flat buffer is the tensors of parameters() one after the other, without gaps.
  explicit ParameterTable(const ModelConfig& config);

  const std::vector<Parameter>& parameters() const { return parameters_; }
  const Parameter& operator[](int number) const { return parameters_[static_cast<size_t>(number)]; }
  Index size() const { return size_; }

  int embedding = kNoParameter;           // (vocab_size, d_model)
  int position_embedding = kNoParameter;  // (context, d_model)
  NormParameters embedding_norm, final_norm;
  std::vector<BlockParameters> blocks;
  LinearParameters head;            // (d_model, vocab_size); with tied_head the weight is the embedding
  bool head_is_transposed = false;  // true with tied_head

 private:
  int add(const std::string& name, Index rows, Index columns, bool is_vector);
  NormParameters add_norm(const ModelConfig& config, const std::string& name);
  LinearParameters add_linear(const ModelConfig& config, const std::string& name, Index inputs, Index outputs);

  std::vector<Parameter> parameters_;
  Index size_ = 0;
};

/// Standard deviation of the initial values of a matrix, around 0; vectors start as constants.
double initial_deviation(const ModelConfig& config, const Parameter& parameter);

/// Fills flat (table.size()) as config.initialisation says. Each tensor draws from a generator of its own, derived from
/// the seed and the tensor's name, so a model with one layer more starts with the same values in the others.
template <class Real>
void initialise_parameters(const ModelConfig& config, const ParameterTable& table, uint64_t seed, std::span<Real> flat);

}  // namespace agpt
