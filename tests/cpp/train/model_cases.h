// Shared by the tests of the model: a spread of configurations, random weights, random forests of rows, and a measure
// of error.
#pragma once

#include <cmath>
#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include "cpp/backend/backend.h"
#include "cpp/base/error.h"
#include "cpp/base/random.h"
#include "cpp/rows/row_batch.h"
#include "cpp/train/transformer.h"

namespace agpt::test {

struct ModelCase {
  std::string name;
  ModelConfig config;
};

inline ModelConfig small_config(std::vector<int> heads, int layers = 2) {
  ModelConfig config;
  config.vocab_size = 7;
  config.context = 40;
  config.d_model = 0;
  for (const int width : heads) config.d_model += width;
  config.n_layers = layers;
  config.heads = std::move(heads);
  config.d_ff = 24;
  return config;
}

/// Every choice of architecture appears, and so do widths below, at and above a vector.
inline std::vector<ModelCase> model_cases() {
  std::vector<ModelCase> cases;
  cases.push_back({"microgpt with heads of 16", small_config({16, 16})});
  cases.push_back({"heads of mixed even width", small_config({32, 8, 4, 2, 2})});
  cases.push_back({"heads of odd width", small_config({1, 2, 3, 5})});
  cases.push_back({"one wide head, one layer", small_config({48}, 1)});
  cases.push_back({"no layer at all", small_config({8}, 0)});
  ModelConfig karpathy = small_config({4, 4, 4, 4}, 1);
  karpathy.norm = Norm::rms_norm;
  karpathy.norm_gain = karpathy.norm_bias = karpathy.bias = karpathy.final_norm = false;
  karpathy.position = Position::learned;
  karpathy.embedding_norm = true;
  cases.push_back({"rms norm without gain, learned positions, embedding norm, no final norm", karpathy});
  karpathy.activation = Activation::relu_squared;
  karpathy.n_layers = 2;
  cases.push_back({"the same with relu squared and two layers", karpathy});
  ModelConfig nanogpt = small_config({16, 16});
  nanogpt.activation = Activation::gelu;
  nanogpt.tied_head = true;
  nanogpt.norm_bias = false;
  nanogpt.position = Position::learned;
  cases.push_back({"gelu, tied head, layer norm without bias", nanogpt});
  ModelConfig plain = small_config({10, 7});
  plain.norm = Norm::rms_norm;
  plain.norm_bias = false;
  plain.position = Position::none;
  plain.vocab_size = 33;
  plain.d_ff = 17;
  cases.push_back({"rms norm with gain, no positions, odd sizes", plain});
  return cases;
}

/// Random numbers of a size that makes every operation matter.
inline std::vector<double> random_parameters(const ParameterTable& table, uint64_t seed) {
  Random random(seed);
  std::vector<double> flat(static_cast<size_t>(table.size()));
  for (const Parameter& parameter : table.parameters()) {
    const bool gain = parameter.name.ends_with(".gain");
    const double deviation = parameter.is_vector ? 0.3 : 0.9 / std::sqrt(static_cast<double>(parameter.rows));
    for (Index i = 0; i < parameter.size(); ++i)
      flat[static_cast<size_t>(parameter.offset + i)] = (gain ? 1 : 0) + deviation * random.normal();
  }
  return flat;
}

enum class Shape { random, chain, star, windows };

/// A forest in pre-order of `n_rows` rows, the first `n_ghosts` of them a chain of ghost rows.
inline RowBatch random_forest(Shape shape, int n_rows, int n_ghosts, const ModelConfig& config, uint64_t seed) {
  Random random(seed);
  RowBatch batch;
  std::vector<int32_t> path;  // rows of the current path
  for (int r = 0; r < n_rows; ++r) {
    const auto depth = static_cast<uint64_t>(path.size());
    uint64_t keep = depth;  // how much of the path the new row hangs below
    if (r >= n_ghosts) {
      if (shape == Shape::random && random.below(3) == 0) keep = random.below(depth + 1);
      if (shape == Shape::star && r > n_ghosts) keep = std::min<uint64_t>(depth, static_cast<uint64_t>(n_ghosts) + 1);
      if (shape == Shape::windows && depth == 11) keep = 0;
    }
    path.resize(std::min<uint64_t>(keep, static_cast<uint64_t>(config.context) - 1));
    const int32_t parent = path.empty() ? -1 : path.back();
    path.push_back(batch.begin_row(static_cast<Token>(random.below(static_cast<uint64_t>(config.vocab_size))),
                                   static_cast<int32_t>(path.size()), parent));
    if (r >= n_ghosts)
      for (uint64_t t = 1 + random.below(3); t > 0; --t)
        batch.add_target(static_cast<Token>(random.below(static_cast<uint64_t>(config.vocab_size))),
                         static_cast<double>(1 + random.below(9)));
    batch.end_row();
  }
  return batch;
}

/// Whether this build has a CUDA backend and the machine a device for it; emulated, it always has. Where
/// AGPT_REQUIRED_BACKENDS names cuda, its absence fails the test instead.
inline bool has_cuda() {
  try {
    make_backend<float>("cuda", ModelShape());
    return true;
  } catch (const DeviceError&) {
    const char* const required = std::getenv("AGPT_REQUIRED_BACKENDS");
    if (required != nullptr && std::string(required).find("cuda") != std::string::npos) throw;
    return false;
  }
}

struct LossAndGradient {
  double loss = 0;
  std::vector<double> gradient;
};

template <class Real>
LossAndGradient run(const std::string& backend_name, const ModelConfig& config, const std::vector<double>& flat,
                    RowBatch batch, const BackendOptions& options = {}) {
  const ParameterTable table(config);
  const std::vector<Real> parameters(flat.begin(), flat.end());
  const std::unique_ptr<Backend<Real>> backend = make_backend<Real>(backend_name, model_shape(config, table), options);
  backend->set_parameters(parameters);
  const std::unique_ptr<Stream<Real>> stream = backend->make_stream();
  const std::unique_ptr<Gradient<Real>> gradient = backend->make_gradient();
  Transformer<Real> transformer(config, table, *stream);
  build_tiles(batch, backend->tile_rows());
  LossAndGradient result;
  transformer.add_loss_and_gradient(batch, *gradient);
  result.loss = stream->take_loss();
  result.gradient.resize(flat.size());
  gradient->add_to(result.gradient, 0, static_cast<int>(table.parameters().size()), 1);
  return result;
}

/// Largest over the tensors of |a - b| / |b| (L2); a tensor whose gradient is 0 in theory (the key bias without
/// rotation) is measured against the largest gradient of the model.
inline double worst_tensor_error(const ParameterTable& table, const std::vector<double>& a,
                                 const std::vector<double>& b) {
  double largest = 0, worst = 0;
  for (const double value : b) largest = std::max(largest, std::abs(value));
  for (const Parameter& parameter : table.parameters()) {
    double difference = 0, norm = 0;
    for (Index i = parameter.offset; i < parameter.offset + parameter.size(); ++i) {
      const auto at = static_cast<size_t>(i);
      difference += (a[at] - b[at]) * (a[at] - b[at]);
      norm += b[at] * b[at];
    }
    worst = std::max(worst, std::sqrt(difference) / std::max(std::sqrt(norm), 1e-3 * largest));
  }
  return worst;
}

}  // namespace agpt::test
