#include "cpp/train/transformer.h"

#include <doctest/doctest.h>

#include "cpp/backend/cpu/kernel_table.h"
#include "cpp/base/error.h"
#include "cpp/train/evaluation.h"
#include "tests/cpp/train/model_cases.h"

namespace agpt::test {
namespace {

std::vector<std::string> fast_backends() {
  std::vector<std::string> names;
  for (const std::string& kernels : available_kernels()) names.push_back("cpu:" + kernels);
  if (has_cuda()) names.push_back("cuda");
  return names;
}

// model_cases(), and models whose heads are whole vectors and whose matrices are wider than a panel.
std::vector<ModelCase> cases_with_wide_models() {
  std::vector<ModelCase> cases = model_cases();
  ModelConfig wide = small_config({16, 16, 16, 16});
  cases.push_back({"four heads of 16, rotary", wide});
  wide.position = Position::learned;
  cases.push_back({"four heads of 16, learned positions", wide});
  ModelConfig mixed = small_config({48, 32, 16, 16});
  mixed.norm = Norm::rms_norm;
  cases.push_back({"mixed heads of whole vectors, rotary", mixed});
  mixed.position = Position::learned;
  mixed.heads = {50, 31, 16, 15};
  cases.push_back({"mixed heads of any width, learned positions", mixed});
  return cases;
}

TEST_CASE("the reference gradient agrees with finite differences of the loss, in every tensor of every configuration") {
  for (const ModelCase& model : model_cases()) {
    CAPTURE(model.name);
    const ParameterTable table(model.config);
    std::vector<double> flat = random_parameters(table, 1);
    const RowBatch batch = random_forest(Shape::random, 40, 3, model.config, 2);
    const LossAndGradient result = run<double>("reference", model.config, flat, batch);
    Random random(3);
    for (const Parameter& parameter : table.parameters()) {
      CAPTURE(parameter.name);
      for (int sample = 0; sample < 6; ++sample) {
        const auto at = static_cast<size_t>(parameter.offset) + random.below(static_cast<uint64_t>(parameter.size()));
        const double step = 1e-5, kept = flat[at];
        flat[at] = kept + step;
        const double above = run<double>("reference", model.config, flat, batch).loss;
        flat[at] = kept - step;
        const double below = run<double>("reference", model.config, flat, batch).loss;
        flat[at] = kept;
        const double slope = (above - below) / (2 * step);
        CHECK(result.gradient[at] == doctest::Approx(slope).epsilon(1e-5).scale(10));
      }
    }
  }
}

TEST_CASE("every fast backend in float64 agrees with the reference to rounding") {
  for (const ModelCase& model : model_cases()) {
    const ParameterTable table(model.config);
    const std::vector<double> flat = random_parameters(table, 4);
    for (const Shape shape : {Shape::random, Shape::chain, Shape::star, Shape::windows})
      for (const int n_rows : {1, 2, 15, 16, 17, 33, 100}) {
        const int n_ghosts = n_rows > 20 ? 9 : 0;
        const RowBatch batch = random_forest(shape, n_rows, n_ghosts, model.config, 5);
        const LossAndGradient truth = run<double>("reference", model.config, flat, batch);
        for (const std::string& backend : fast_backends()) {
          CAPTURE(model.name);
          CAPTURE(backend);
          CAPTURE(n_rows);
          const LossAndGradient fast = run<double>(backend, model.config, flat, batch);
          CHECK(fast.loss == doctest::Approx(truth.loss).epsilon(1e-12));
          CHECK(worst_tensor_error(table, fast.gradient, truth.gradient) < 1e-10);
        }
      }
  }
}

TEST_CASE("every fast backend in float32 agrees with the reference in float64 to 1e-5") {
  for (const ModelCase& model : model_cases()) {
    const ParameterTable table(model.config);
    // The truth starts from the rounded parameters: the test is of the arithmetic, not of the rounding of its input.
    std::vector<double> flat = random_parameters(table, 6);
    for (double& value : flat) value = static_cast<float>(value);
    for (const int n_rows : {1, 31, 32, 33, 127, 128, 129, 600}) {
      const RowBatch batch = random_forest(Shape::random, n_rows, n_rows > 20 ? 5 : 0, model.config, 7);
      const LossAndGradient truth = run<double>("reference", model.config, flat, batch);
      for (const std::string& backend : fast_backends()) {
        CAPTURE(model.name);
        CAPTURE(backend);
        CAPTURE(n_rows);
        const LossAndGradient fast = run<float>(backend, model.config, flat, batch);
        CHECK(fast.loss == doctest::Approx(truth.loss).epsilon(1e-5));
        CHECK(worst_tensor_error(table, fast.gradient, truth.gradient) < 1e-5);
      }
    }
  }
}

// model_cases(), and learned positions below a norm with each choice of gain and bias.
std::vector<ModelCase> cases_with_learned_positions() {
  std::vector<ModelCase> cases = model_cases();
  ModelConfig learned = small_config({10, 7});
  learned.position = Position::learned;
  cases.push_back({"layer norm with gain and bias, learned positions", learned});
  learned.bias = false;
  cases.push_back({"the same without biases in linear layers", learned});
  learned.norm = Norm::rms_norm;
  learned.norm_gain = learned.norm_bias = false;
  cases.push_back({"rms norm without gain, learned positions, no bias", learned});
  return cases;
}

TEST_CASE("tables of the first layer give several gradients the sum of the batches, in every configuration") {
  for (const ModelCase& model : cases_with_learned_positions()) {
    const ParameterTable table(model.config);
    const auto n_tensors = static_cast<int>(table.parameters().size());
    const std::vector<double> flat = random_parameters(table, 10);
    std::vector<RowBatch> batches;
    for (const int n_rows : {1, 40, 17}) batches.push_back(random_forest(Shape::random, n_rows, 0, model.config, 11));
    LossAndGradient truth;
    truth.gradient.resize(flat.size());
    for (const RowBatch& batch : batches) {
      const LossAndGradient one = run<double>("reference", model.config, flat, batch);
      truth.loss += one.loss;
      for (size_t i = 0; i < flat.size(); ++i) truth.gradient[i] += one.gradient[i];
    }
    for (const std::string& name : fast_backends())
      for (const Index announced : {1, 1'000'000}) {  // one row is not worth a table
        CAPTURE(model.name);
        CAPTURE(name);
        const auto backend = make_backend<double>(name, model_shape(model.config, table));
        backend->set_parameters(flat);
        const auto stream = backend->make_stream();
        // The second gradient is never added to; what the first had before it was cleared is nobody's.
        const std::unique_ptr<Gradient<double>> gradients[] = {backend->make_gradient(), backend->make_gradient(),
                                                               backend->make_gradient()};
        FirstLayerTable<double> first_layer(model.config, table, *backend);
        Transformer<double> transformer(model.config, table, *stream, &first_layer);
        first_layer.start(announced);
        const bool has_use = model.config.n_layers > 0 && !model.config.embedding_norm;
        CHECK((first_layer.tables() != nullptr) == (announced > 1 && has_use && name.starts_with("cpu")));
        for (RowBatch& batch : batches) build_tiles(batch, backend->tile_rows());
        transformer.add_loss_and_gradient(batches[1], *gradients[0]);
        stream->take_loss();
        for (const auto& gradient : gradients) gradient->clear();
        for (size_t i = 0; i < batches.size(); ++i)
          transformer.add_loss_and_gradient(batches[i], *gradients[i % 2 * 2]);
        const Gradient<double>* const all[] = {gradients[0].get(), gradients[1].get(), gradients[2].get()};
        first_layer.finish(all, *gradients[0]);
        std::vector<double> sum(flat.size());
        for (const auto& gradient : gradients) gradient->add_to(sum, 0, n_tensors, 1);
        CHECK(stream->take_loss() == doctest::Approx(truth.loss).epsilon(1e-12));
        CHECK(worst_tensor_error(table, sum, truth.gradient) < 1e-10);
      }
  }
}

TEST_CASE("tables of the first layer give the losses that batches have without them, context rows or not") {
  for (const ModelCase& model : cases_with_learned_positions()) {
    CAPTURE(model.name);
    const ParameterTable table(model.config);
    const std::vector<double> wide = random_parameters(table, 12);
    const std::vector<float> flat(wide.begin(), wide.end());
    for (const std::string& name : fast_backends()) {
      CAPTURE(name);
      const auto backend = make_backend<float>(name, model_shape(model.config, table));
      backend->set_parameters(flat);
      const auto stream = backend->make_stream();
      FirstLayerTable<float> first_layer(model.config, table, *backend);
      Transformer<float> transformer(model.config, table, *stream, &first_layer);
      for (const int n_ghosts : {0, 23}) {
        RowBatch batch = random_forest(Shape::random, 40, n_ghosts, model.config, 13);
        build_tiles(batch, backend->tile_rows());
        transformer.add_loss(batch);
        const double alone = stream->take_loss();
        first_layer.start(1'000'000);
        transformer.add_loss(batch);
        first_layer.stop();
        CHECK(stream->take_loss() == doctest::Approx(alone).epsilon(1e-6));
        CHECK(alone == doctest::Approx(run<double>("reference", model.config, wide, batch).loss).epsilon(1e-5));
      }
    }
  }
}

template <class Real>
std::vector<double> losses_of_rows(const std::string& backend_name, const ModelConfig& config,
                                   const std::vector<double>& flat, RowBatch batch) {
  const ParameterTable table(config);
  const std::vector<Real> parameters(flat.begin(), flat.end());
  const auto backend = make_backend<Real>(backend_name, model_shape(config, table));
  backend->set_parameters(parameters);
  const auto stream = backend->make_stream();
  Transformer<Real> transformer(config, table, *stream);
  build_tiles(batch, backend->tile_rows());
  std::vector<double> losses;
  transformer.row_losses(batch, losses);
  return losses;
}

TEST_CASE("rows that are few beside their context have the reference's losses, one row alone or windows together") {
  for (const ModelCase& model : cases_with_wide_models()) {
    const ParameterTable table(model.config);
    std::vector<double> flat = random_parameters(table, 14);
    for (double& value : flat) value = static_cast<float>(value);
    Random random(15);
    std::vector<uint32_t> tokens(50);
    for (uint32_t& token : tokens) token = static_cast<uint32_t>(random.below(3));
    for (const Index context : {1, 8, 31, 32, 33})
      for (const Index n_windows : {1, 5}) {
        CAPTURE(model.name);
        CAPTURE(context);
        const StepWork work = evaluation_work({TokenView(std::span<const uint32_t>(tokens)), {}}, context,
                                              std::max<Index>(1, context / 16), context * n_windows);
        RowBatch batch;
        work.build(work.n_batches / 2, batch);
        const std::vector<double> truth = losses_of_rows<double>("reference", model.config, flat, batch);
        for (const std::string& backend : fast_backends()) {
          CAPTURE(backend);
          const std::vector<double> wide = losses_of_rows<double>(backend, model.config, flat, batch),
                                    narrow = losses_of_rows<float>(backend, model.config, flat, batch);
          for (size_t row = 0; row < truth.size(); ++row) {
            CHECK(wide[row] == doctest::Approx(truth[row]).epsilon(1e-11));
            CHECK(narrow[row] == doctest::Approx(truth[row]).epsilon(1e-5));
          }
        }
      }
  }
}

TEST_CASE("the instruction set that was asked for is the one that runs") {
  const ModelConfig config = small_config({8});
  const ParameterTable table(config);
  for (const std::string& kernels : available_kernels())
    CHECK(make_backend<float>("cpu:" + kernels, model_shape(config, table))->description() ==
          "cpu (" + kernels + ", float32)");
  CHECK_THROWS_WITH_AS(make_backend<float>("cpu:mmx", model_shape(config, table)), doctest::Contains("mmx"),
                       ArgumentError);
  CHECK_THROWS_AS(make_backend<float>("tpu", model_shape(config, table)), ArgumentError);
  if (has_cuda()) CHECK(make_backend<float>("cuda", model_shape(config, table))->description().starts_with("cuda ("));
}

TEST_CASE("the logits of a row do not change with what follows it, and a cache changes nothing") {
  for (const ModelCase& model : cases_with_wide_models()) {
    CAPTURE(model.name);
    const ParameterTable table(model.config);
    const std::vector<double> flat = random_parameters(table, 8);
    RowBatch batch = random_forest(Shape::chain, 30, 0, model.config, 9);
    std::vector<std::string> names = {"reference"};
    for (const std::string& kernels : available_kernels()) names.push_back("cpu:" + kernels);
    for (const std::string& name : names) {
      CAPTURE(name);
      const auto backend = make_backend<double>(name, model_shape(model.config, table));
      backend->set_parameters(flat);
      const auto stream = backend->make_stream(), other = backend->make_stream();
      Transformer<double> whole(model.config, table, *stream), growing(model.config, table, *other);
      build_tiles(batch, backend->tile_rows());
      const Index columns = model.config.vocab_size;
      std::vector<double> expected(static_cast<size_t>(30 * columns));
      stream->read_rows(columns, 0, 30, whole.logits(batch, 0, 0, 30), expected);
      for (const auto& [begin, end] :
           {std::pair{0, 7}, std::pair{7, 8}, std::pair{8, 9}, std::pair{9, 29}, std::pair{29, 30}}) {
        RowBatch part = batch;
        part.token.resize(static_cast<size_t>(end));
        part.position.resize(static_cast<size_t>(end));
        part.parent.resize(static_cast<size_t>(end));
        part.weight.resize(static_cast<size_t>(end));
        part.target_begin.resize(static_cast<size_t>(end) + 1);
        part.n_leading_ghosts = 0;
        build_tiles(part, backend->tile_rows(), begin);
        std::vector<double> got(static_cast<size_t>((end - begin) * columns));
        other->read_rows(columns, begin, end, growing.logits(part, begin, begin, 30), got);
        for (size_t i = 0; i < got.size(); ++i)
          CHECK(got[i] == doctest::Approx(expected[static_cast<size_t>(begin * columns) + i]).epsilon(1e-10));
      }
    }
  }
}

}  // namespace
}  // namespace agpt::test
