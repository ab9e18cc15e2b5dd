#include "cpp/train/inference.h"

#include <doctest/doctest.h>

#include <algorithm>

#include "cpp/base/error.h"
#include "tests/cpp/train/model_cases.h"

namespace agpt::test {
namespace {

template <class Real>
Inference<Real> make_inference(const ModelConfig& config, const std::string& backend) {
  const ParameterTable table(config);
  const std::vector<double> flat = random_parameters(table, 21);
  const std::vector<Real> parameters(flat.begin(), flat.end());
  return Inference<Real>(config, make_backend<Real>(backend, model_shape(config, table)), parameters);
}

/// Greedy generation without a cache: the whole context anew for every token, slid as the engine documents.
std::vector<Token> greedy(Inference<double>& model, const ModelConfig& model_config, const GenerationConfig& config,
                          const std::vector<Token>& prompt) {
  const auto context = static_cast<size_t>(model_config.context);
  std::vector<Token> text = prompt;
  const auto end_of_text = [&](size_t n, bool restart) {
    std::vector<Token> read(text.end() - static_cast<Index>(std::min(n, text.size())), text.end());
    if (restart) read.insert(read.begin(), static_cast<Token>(config.restart_token));
    return read;
  };
  const bool restart = config.restart_token >= 0;
  const size_t half = std::max<size_t>(1, context / 2);
  const size_t again = config.reread_tokens > 0 ? static_cast<size_t>(config.reread_tokens) : half;
  const size_t most = std::max<size_t>(1, context - 1);
  std::vector<Token> read = prompt.size() > most && restart ? end_of_text(again, true) : end_of_text(most, false);
  while (static_cast<Index>(text.size() - prompt.size()) < config.max_tokens) {
    const std::vector<double> all = model.logits(read);
    std::vector<double> logits(all.end() - model_config.vocab_size, all.end());
    const size_t n_recent = std::min(text.size(), static_cast<size_t>(config.repetition_window));
    penalise_repetition(logits, std::span<const Token>(text).last(n_recent), config.repetition_penalty);
    if (config.excluded_token >= 0) logits[static_cast<size_t>(config.excluded_token)] = -1e9;
    text.push_back(static_cast<Token>(std::max_element(logits.begin(), logits.end()) - logits.begin()));
    read.push_back(text.back());
    if (read.size() > context) read = end_of_text(again, restart);
  }
  return {text.begin() + static_cast<Index>(prompt.size()), text.end()};
}

TEST_CASE("generation with the cache equals generation without it, also beyond the context") {
  for (ModelCase model : model_cases())
    for (const int context : {1, 2, 9}) {
      CAPTURE(model.name);
      CAPTURE(context);
      model.config.context = context;
      Inference<double> inference = make_inference<double>(model.config, "cpu");
      for (const size_t prompt_size : {1, 3, 20}) {
        std::vector<Token> prompt(prompt_size);
        for (size_t i = 0; i < prompt_size; ++i) prompt[i] = static_cast<Token>(i * 5 % 7);
        GenerationConfig config;
        config.temperature = 0;
        config.max_tokens = 30;
        config.n_samples = 2;
        for (const auto& [again, restart] : {std::pair{0, -1}, {context, -1}, {(context + 2) / 4, 3}}) {
          if (context == 1 && restart >= 0) continue;  // there is no room behind the token
          config.reread_tokens = again;
          config.restart_token = restart;
          config.repetition_penalty = restart >= 0 ? 1.5 : 1;
          config.excluded_token = restart >= 0 ? 4 : -1;
          config.repetition_window = 5;
          const auto samples = inference.generate(prompt, config, {});
          CHECK(samples[0] == greedy(inference, model.config, config, prompt));
          CHECK(samples[1] == samples[0]);
        }
      }
    }
}

TEST_CASE("stages are in order, cover every layer, agree between backends and end in the logits") {
  const std::vector<Token> tokens = {0, 5, 3, 3, 6, 1};
  for (const ModelCase& model : model_cases()) {
    CAPTURE(model.name);
    Inference<double> reference = make_inference<double>(model.config, "reference");
    const std::vector<StageValues<double>> stages = reference.stages(tokens);
    CHECK(stages.front().name == "embedding");
    CHECK(stages.back().name == "logits");
    CHECK(stages.back().values == reference.logits(tokens));
    const auto n_blocks = std::count_if(stages.begin(), stages.end(), [](const StageValues<double>& stage) {
      return stage.name.ends_with(".after_mlp") && stage.values.size() == 6 * static_cast<size_t>(stage.columns);
    });
    CHECK(n_blocks == model.config.n_layers);
    const std::vector<StageValues<double>> fast = make_inference<double>(model.config, "cpu").stages(tokens);
    REQUIRE(fast.size() == stages.size());
    for (size_t s = 0; s < stages.size(); ++s) {
      CAPTURE(stages[s].name);
      CHECK(fast[s].name == stages[s].name);
      CHECK(fast[s].columns == stages[s].columns);
      REQUIRE(fast[s].values.size() == stages[s].values.size());
      for (size_t i = 0; i < stages[s].values.size(); ++i)
        CHECK(fast[s].values[i] == doctest::Approx(stages[s].values[i]).epsilon(1e-10));
    }
  }
}

TEST_CASE("samples stop before the stop token, differ by sample and repeat by seed") {
  const ModelConfig model = small_config({16, 16});
  Inference<float> inference = make_inference<float>(model, "cpu");
  const std::vector<Token> prompt = {1};
  GenerationConfig config;
  config.n_samples = 20;
  config.max_tokens = 60;
  config.stop_token = 3;
  const auto samples = inference.generate(prompt, config, {});
  bool differ = false;
  for (const std::vector<Token>& sample : samples) {
    CHECK(std::find(sample.begin(), sample.end(), 3u) == sample.end());
    differ = differ || sample != samples[0];
  }
  CHECK(differ);
  CHECK(inference.generate(prompt, config, {}) == samples);
  config.seed = 1;
  CHECK(inference.generate(prompt, config, {}) != samples);
}

TEST_CASE("a sample does not depend on how many are written, within the context or beyond it") {
  ModelConfig model = small_config({16, 16, 16, 16});
  const std::vector<Token> prompt = {1, 2, 3};
  for (const int context : {9, 40}) {
    model.context = context;
    Inference<float> inference = make_inference<float>(model, "cpu");
    GenerationConfig config;
    config.max_tokens = 30;
    config.n_samples = 3;
    const auto few = inference.generate(prompt, config, {});
    config.n_samples = 200;
    Index last = 0;
    const auto many = inference.generate(prompt, config, [&](Index n) {
      CHECK(n >= last);
      last = n;
    });
    CHECK(last == config.max_tokens);
    CHECK(std::equal(few.begin(), few.end(), many.begin()));
    config.n_samples = 1;
    config.seed = 1;
    CHECK(inference.generate(prompt, config, {})[0] != few[0]);
  }
}

TEST_CASE("unknown tokens, empty prompts and texts beyond the context are refused") {
  const ModelConfig model = small_config({8});
  Inference<float> inference = make_inference<float>(model, "cpu");
  const std::vector<Token> unknown = {7}, longer(41, 0), none;
  CHECK_THROWS_AS(inference.logits(unknown), ArgumentError);
  CHECK_THROWS_AS(inference.logits(longer), ArgumentError);
  CHECK_THROWS_AS(inference.generate(none, {}, {}), ArgumentError);
  const std::vector<Token> prompt = {1};
  const auto refused = [&](auto change) {
    GenerationConfig config;
    change(config);
    CHECK_THROWS_AS(inference.generate(prompt, config, {}), ArgumentError);
  };
  refused([](GenerationConfig& config) { config.repetition_penalty = 0; });
  refused([](GenerationConfig& config) { config.repetition_window = 0; });
  refused([](GenerationConfig& config) { config.reread_tokens = -1; });
  refused([&](GenerationConfig& config) { config.reread_tokens = model.context + 1; });
  refused([](GenerationConfig& config) { config.restart_token = 7; });
  refused([](GenerationConfig& config) { config.excluded_token = 7; });
  refused([&](GenerationConfig& config) { config.reread_tokens = model.context, config.restart_token = 0; });
}

}  // namespace
}  // namespace agpt::test
