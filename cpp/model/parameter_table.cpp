#include "cpp/model/parameter_table.h"

#include <cmath>

#include "cpp/base/error.h"
#include "cpp/base/random.h"

namespace agpt {
namespace {

bool ends_with(const std::string& text, const std::string& end) {
  return text.size() >= end.size() && text.compare(text.size() - end.size(), end.size(), end) == 0;
}

// Projections back into the residual stream.
bool is_residual_projection(const std::string& name) {
  return ends_with(name, "attention.output.weight") || ends_with(name, "mlp.down.weight");
}

bool is_embedding(const std::string& name) { return name == "embedding.weight" || name == "position_embedding.weight"; }

uint64_t hash_name(const std::string& name) {
  uint64_t hash = 0xcbf29ce484222325u;  // FNV-1a
  for (const char c : name) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3u;
  return hash;
}

}  // namespace

double initial_deviation(const ModelConfig& config, const Parameter& parameter) {
  switch (config.initialisation) {
    case Initialisation::microgpt:
      return is_embedding(parameter.name) ? 1 / std::sqrt(config.d_model)
                                          : std::sqrt(2 / static_cast<double>(parameter.rows));
    case Initialisation::gpt2:
      return is_residual_projection(parameter.name) ? 0.02 / std::sqrt(2.0 * config.n_layers) : 0.02;
    case Initialisation::karpathy_a:
      return is_residual_projection(parameter.name) ? 0 : 0.02;
    case Initialisation::karpathy_b:
      return 0.08;
  }
  throw ArgumentError("unknown initialisation");
}

ParameterTable::ParameterTable(const ModelConfig& config) {
  config.validate();
  embedding = add("embedding.weight", config.vocab_size, config.d_model, false);
  if (config.position == Position::learned)
    position_embedding = add("position_embedding.weight", config.context, config.d_model, false);
  if (config.embedding_norm) embedding_norm = add_norm(config, "embedding_norm");
  for (int layer = 0; layer < config.n_layers; ++layer) {
    const std::string block = "blocks." + std::to_string(layer) + ".";
    BlockParameters numbers;
    numbers.norm1 = add_norm(config, block + "norm1");
    numbers.qkv = add_linear(config, block + "attention.qkv", config.d_model, 3 * Index{config.d_model});
    numbers.output = add_linear(config, block + "attention.output", config.d_model, config.d_model);
    numbers.norm2 = add_norm(config, block + "norm2");
    numbers.up = add_linear(config, block + "mlp.up", config.d_model, config.d_ff);
    numbers.down = add_linear(config, block + "mlp.down", config.d_ff, config.d_model);
    blocks.push_back(numbers);
  }
  if (config.final_norm) final_norm = add_norm(config, "final_norm");
  head_is_transposed = config.tied_head;
  head.weight = config.tied_head ? embedding : add("head.weight", config.d_model, config.vocab_size, false);
  if (config.bias && config.head_bias) head.bias = add("head.bias", 1, config.vocab_size, true);
}

int ParameterTable::add(const std::string& name, Index rows, Index columns, bool is_vector) {
  parameters_.push_back({name, size_, rows, columns, is_vector});
  size_ += rows * columns;
  return static_cast<int>(parameters_.size()) - 1;
}

NormParameters ParameterTable::add_norm(const ModelConfig& config, const std::string& name) {
  NormParameters norm;
  if (config.norm_gain) norm.gain = add(name + ".gain", 1, config.d_model, true);
  if (config.norm_gain && config.norm_bias) norm.bias = add(name + ".bias", 1, config.d_model, true);
  return norm;
}

LinearParameters ParameterTable::add_linear(const ModelConfig& config, const std::string& name, Index inputs,
                                            Index outputs) {
  LinearParameters linear;
  linear.weight = add(name + ".weight", inputs, outputs, false);
  if (config.bias) linear.bias = add(name + ".bias", 1, outputs, true);
  return linear;
}

template <class Real>
void initialise_parameters(const ModelConfig& config, const ParameterTable& table, uint64_t seed,
                           std::span<Real> flat) {
  AGPT_REQUIRE(static_cast<Index>(flat.size()) == table.size(),
               "the parameter buffer holds " + std::to_string(flat.size()) + " numbers, but the model has " +
                   std::to_string(table.size()));
  for (const Parameter& parameter : table.parameters()) {
    const std::span<Real> values =
        flat.subspan(static_cast<size_t>(parameter.offset), static_cast<size_t>(parameter.size()));
    if (parameter.is_vector) {
      std::fill(values.begin(), values.end(), static_cast<Real>(ends_with(parameter.name, ".gain") ? 1 : 0));
      continue;
    }
    Random random(mix_bits(seed) ^ hash_name(parameter.name));
    const double deviation = initial_deviation(config, parameter);
    for (Real& value : values) value = static_cast<Real>(deviation * random.normal());
  }
}

template void initialise_parameters<float>(const ModelConfig&, const ParameterTable&, uint64_t, std::span<float>);
template void initialise_parameters<double>(const ModelConfig&, const ParameterTable&, uint64_t, std::span<double>);

}  // namespace agpt
