#include "cpp/model/parameter_table.h"

#include <doctest/doctest.h>

#include <cmath>
#include <set>

#include "cpp/base/error.h"

namespace agpt {
namespace {

ModelConfig microgpt(int d_model, int n_layers, std::vector<int> heads) {
  ModelConfig config;
  config.vocab_size = 65;
  config.context = 128;
  config.d_model = d_model;
  config.n_layers = n_layers;
  config.heads = std::move(heads);
  config.d_ff = 4 * d_model;
  return config;
}

ModelConfig karpathy(int context) {
  ModelConfig config;
  config.vocab_size = 27;
  config.context = context;
  config.d_model = 16;
  config.n_layers = 1;
  config.heads = {4, 4, 4, 4};
  config.d_ff = 64;
  config.norm = Norm::rms_norm;
  config.norm_gain = config.norm_bias = config.bias = config.final_norm = false;
  config.position = Position::learned;
  config.embedding_norm = true;
  return config;
}

TEST_CASE("published models have their published numbers of parameters") {
  CHECK(ParameterTable(microgpt(64, 2, {16, 16, 16, 16})).size() == 108481);
  CHECK(ParameterTable(microgpt(32, 1, {16, 16})).size() == 16993);
  CHECK(ParameterTable(microgpt(32, 2, {16, 16})).size() == 29697);
  CHECK(ParameterTable(microgpt(128, 2, {16, 16, 16, 16, 16, 16, 16, 16})).size() == 413505);
  CHECK(ParameterTable(microgpt(63, 2, {1, 2, 4, 8, 16, 32})).size() == 105275);
  CHECK(ParameterTable(karpathy(8)).size() == 4064);
  CHECK(ParameterTable(karpathy(16)).size() == 4192);
}

TEST_CASE("tensors lie one after the other under names of their own") {
  const ParameterTable table(microgpt(64, 2, {64}));
  std::set<std::string> names;
  Index end = 0;
  for (const Parameter& parameter : table.parameters()) {
    CHECK(parameter.offset == end);
    CHECK(names.insert(parameter.name).second);
    end += parameter.size();
  }
  CHECK(end == table.size());
  CHECK(table[table.blocks[1].qkv.weight].name == "blocks.1.attention.qkv.weight");
  CHECK(table[table.blocks[1].qkv.weight].columns == 192);
}

TEST_CASE("a tied head is the embedding, and keeps a bias of its own") {
  ModelConfig config = microgpt(64, 2, {64});
  config.tied_head = true;
  const ParameterTable table(config);
  CHECK(table.head.weight == table.embedding);
  CHECK(table.head_is_transposed);
  CHECK(table.size() == 108481 - 64 * 65);
}

/// Standard deviation of the initial values of one tensor.
double deviation(const ModelConfig& config, const std::string& name) {
  const ParameterTable table(config);
  std::vector<float> flat(static_cast<size_t>(table.size()));
  initialise_parameters<float>(config, table, 7, flat);
  for (const Parameter& parameter : table.parameters()) {
    if (parameter.name != name) continue;
    double sum = 0;
    for (Index i = parameter.offset; i < parameter.offset + parameter.size(); ++i)
      sum += static_cast<double>(flat[static_cast<size_t>(i)]) * static_cast<double>(flat[static_cast<size_t>(i)]);
    return std::sqrt(sum / static_cast<double>(parameter.size()));
  }
  return -1;
}

TEST_CASE("initial values have the deviations of their scheme") {
  ModelConfig config = microgpt(64, 2, {16, 16, 16, 16});
  const auto near = [](double value) { return doctest::Approx(value).epsilon(0.03); };
  CHECK(deviation(config, "embedding.weight") == near(1 / 8.0));
  CHECK(deviation(config, "blocks.0.attention.qkv.weight") == near(std::sqrt(2 / 64.0)));
  CHECK(deviation(config, "blocks.1.mlp.down.weight") == near(std::sqrt(2 / 256.0)));
  CHECK(deviation(config, "head.weight") == near(std::sqrt(2 / 64.0)));
  CHECK(deviation(config, "head.bias") == 0);
  CHECK(deviation(config, "final_norm.gain") == 1);
  config.initialisation = Initialisation::gpt2;
  CHECK(deviation(config, "embedding.weight") == near(0.02));
  CHECK(deviation(config, "blocks.1.mlp.down.weight") == near(0.02 / 2));
  CHECK(deviation(config, "blocks.1.mlp.up.weight") == near(0.02));
  config.initialisation = Initialisation::karpathy_a;
  CHECK(deviation(config, "blocks.1.mlp.up.weight") == near(0.02));
  CHECK(deviation(config, "blocks.1.mlp.down.weight") == 0);
  CHECK(deviation(config, "blocks.0.attention.output.weight") == 0);
  config.initialisation = Initialisation::karpathy_b;
  CHECK(deviation(config, "blocks.0.attention.output.weight") == near(0.08));
}

TEST_CASE("a seed fixes the values, another changes them, and another layer leaves the first ones alone") {
  const auto values = [](const ModelConfig& config, uint64_t seed) {
    const ParameterTable table(config);
    std::vector<double> flat(static_cast<size_t>(table.size()));
    initialise_parameters<double>(config, table, seed, flat);
    return flat;
  };
  const ModelConfig two = microgpt(32, 2, {32}), three = microgpt(32, 3, {32});
  CHECK(values(two, 1) == values(two, 1));
  CHECK(values(two, 1) != values(two, 2));
  const std::vector<double> a = values(two, 1), b = values(three, 1);
  const auto shared = static_cast<size_t>(ParameterTable(two)[ParameterTable(two).final_norm.gain].offset);
  CHECK(std::equal(a.begin(), a.begin() + static_cast<Index>(shared), b.begin()));
}

TEST_CASE("choices that do not fit are refused") {
  const auto refused = [](auto change) {
    ModelConfig config = microgpt(64, 2, {64});
    change(config);
    CHECK_THROWS_AS(ParameterTable{config}, ArgumentError);
  };
  refused([](ModelConfig& config) { config.heads = {16, 16}; });
  refused([](ModelConfig& config) { config.heads = {}; });
  refused([](ModelConfig& config) { config.heads = {0, 64}; });
  refused([](ModelConfig& config) { config.vocab_size = 0; });
  refused([](ModelConfig& config) { config.context = 0; });
  refused([](ModelConfig& config) { config.d_ff = 0; });
  refused([](ModelConfig& config) { config.n_layers = -1; });
  refused([](ModelConfig& config) { config.norm_epsilon = 0; });
  refused([](ModelConfig& config) { config.rope_base = std::nan(""); });
  refused([](ModelConfig& config) { config.norm_gain = false; });
}

}  // namespace
}  // namespace agpt
