#include "cpp/train/trainer.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>

#include "tests/cpp/train/model_cases.h"

namespace agpt::test {
namespace {

/// Large enough for threads to share the packing of its parameters and their update.
ModelConfig wide_config() {
  ModelConfig config = small_config({48, 48}, 1);
  config.d_ff = 512;
  return config;
}

std::vector<uint32_t> random_text(const ModelConfig& config, size_t size) {
  std::vector<uint32_t> text(size);
  Random random(1);
  for (uint32_t& token : text) token = static_cast<uint32_t>(random.below(static_cast<uint64_t>(config.vocab_size)));
  return text;
}

struct Trained {
  std::vector<float> parameters;
  std::vector<double> gradient, norms;
};

Trained train(const ModelConfig& model, const std::vector<uint32_t>& text, int n_threads,
              const std::string& backend = "cpu") {
  const ParameterTable table(model);
  Trained result;
  result.parameters.resize(static_cast<size_t>(table.size()));
  initialise_parameters<float>(model, table, 0, result.parameters);
  WindowStepConfig windows;
  windows.context = 8, windows.windows = 12, windows.batch_rows = 16;
  TrainerConfig config;
  config.n_threads = n_threads;
  config.optimizer.clip_norm = 0.1;
  Trainer<float> trainer(model, config, make_window_source({TokenView(std::span(text)), {}}, windows),
                         make_backend<float>(backend, model_shape(model, table)), result.parameters);
  for (int step = 0; step < 3; ++step) result.norms.push_back(trainer.step({}).gradient_norm);
  const std::span<double> gradient = trainer.last_gradient();
  result.gradient.assign(gradient.begin(), gradient.end());
  return result;
}

TEST_CASE("steps have the same bits however many threads share passes, packing and update") {
  const ModelConfig model = wide_config();
  const std::vector<uint32_t> text = random_text(model, 1000);
  const Trained one = train(model, text, 1);
  for (const int n_threads : {2, 3}) {
    const Trained several = train(model, text, n_threads);
    CHECK(several.norms == one.norms);
    CHECK(several.gradient == one.gradient);
    CHECK(several.parameters == one.parameters);
  }
}

TEST_CASE("steps of a wide model are those of the reference") {
  const ModelConfig model = wide_config();
  const std::vector<uint32_t> text = random_text(model, 1000);
  const Trained fast = train(model, text, 2), truth = train(model, text, 1, "reference");
  for (size_t step = 0; step < truth.norms.size(); ++step)
    CHECK(fast.norms[step] == doctest::Approx(truth.norms[step]).epsilon(1e-4));
}

TEST_CASE("the norm that is reported is that of the last gradient") {
  const ModelConfig model = wide_config();
  const Trained trained = train(model, random_text(model, 1000), 2);
  double squares = 0;
  for (const double g : trained.gradient) squares += g * g;
  CHECK(trained.norms.back() == doctest::Approx(std::sqrt(squares)).epsilon(1e-12));
}

TEST_CASE("a cleared gradient is zero in tensors that nothing is added to") {
  for (const std::string name : {"cpu", "reference"}) {
    const ModelConfig model = small_config({8, 8}, 1);
    const ParameterTable table(model);
    const auto backend = make_backend<double>(name, model_shape(model, table));
    std::vector<double> parameters(static_cast<size_t>(table.size())), gradient(parameters.size(), 5);
    const auto state = backend->make_training_state({parameters, {}, gradient});
    const auto addend = backend->make_gradient();
    addend->clear();
    state->clear_gradient();
    state->add(*addend, 0, 2, 1);
    state->fetch_gradient();
    CHECK(std::all_of(gradient.begin(), gradient.end(), [](double g) { return g == 0; }));
  }
}

}  // namespace
}  // namespace agpt::test
