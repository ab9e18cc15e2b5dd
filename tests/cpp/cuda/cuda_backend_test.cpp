// What only a device does: wide heads over several warps, tiles of 32 rows, training states of its own, a cap of its memory,
// products of lower precision. On the emulator or on a GPU; skipped where there is neither.
#include <doctest/doctest.h>

#include <cmath>
#include <cstdlib>
#include <limits>
#include <numeric>

#include "cpp/base/error.h"
#include "tests/cpp/train/model_cases.h"

namespace agpt::test {
namespace {

constexpr double kTolerance = 1e-10;  // of float64

double length(const std::vector<double>& vector) {
  return std::sqrt(std::inner_product(vector.begin(), vector.end(), vector.begin(), 0.0));
}

ModelConfig config_of(std::vector<int> heads) {
  ModelConfig config = small_config(std::move(heads), 1);
  config.context = 70;
  return config;
}

/// The worst error of the cuda backend's gradient against the reference's.
template <class Real>
double gradient_error(const ModelConfig& config, const RowBatch& batch, const BackendOptions& options = {}) {
  const ParameterTable table(config);
  std::vector<double> flat = random_parameters(table, 3);
  for (double& value : flat) value = static_cast<Real>(value);
  const LossAndGradient truth = run<double>("reference", config, flat, batch);
  const LossAndGradient got = run<Real>("cuda", config, flat, batch, options);
  CHECK(got.loss == doctest::Approx(truth.loss).epsilon(1e-2));
  return worst_tensor_error(table, got.gradient, truth.gradient);
}

TEST_CASE("heads of every width up to 128 have the reference's gradient, with segmented sums and with atomics") {
  if (!has_cuda()) return;
  BackendOptions atomics;
  atomics.deterministic = false;
  for (const std::vector<int>& heads :
       {std::vector{17, 31}, {32, 33, 3}, {1, 64}, {100, 16, 16, 16, 16}, {128}, {5, 6, 7, 8}}) {
    CAPTURE(heads.back());
    const ModelConfig config = config_of(heads);
    const RowBatch batch = random_forest(Shape::random, 70, 9, config, 5);
    CHECK(gradient_error<double>(config, batch) < kTolerance);
    CHECK(gradient_error<double>(config, batch, atomics) < kTolerance);
    CHECK(gradient_error<float>(config, batch) < 1e-5);
  }
  CHECK_THROWS_WITH_AS(make_backend<float>("cuda", model_shape(config_of({129}), ParameterTable(config_of({129})))),
                       doctest::Contains("129"), ArgumentError);
}

TEST_CASE("batches around the size of a tile, chains, stars and windows have the reference's gradient") {
  if (!has_cuda()) return;
  ModelConfig config = config_of({16, 8, 4});
  config.n_layers = 2;  // the second finds what the first has left in scratch memory
  for (const Shape shape : {Shape::random, Shape::chain, Shape::star, Shape::windows})
    for (const int n_rows : {1, 31, 32, 33, 63, 64, 65}) {
      CAPTURE(n_rows);
      CHECK(gradient_error<double>(config, random_forest(shape, n_rows, n_rows / 8, config, 7)) < kTolerance);
    }
}

TEST_CASE("a batch without rows, or without targets, has no loss and no gradient") {
  if (!has_cuda()) return;
  const ModelConfig config = config_of({8});
  for (const RowBatch& batch : {RowBatch(), random_forest(Shape::chain, 5, 5, config, 1)}) {
    const LossAndGradient result = run<float>("cuda", config, random_parameters(ParameterTable(config), 1), batch);
    CHECK(result.loss == 0);
    for (const double value : result.gradient) CHECK(value == 0);
  }
}

TEST_CASE("a gradient has the same bits in every run") {
  if (!has_cuda()) return;
  const ModelConfig config = config_of({16, 8});
  const std::vector<double> flat = random_parameters(ParameterTable(config), 1);
  const RowBatch batch = random_forest(Shape::star, 200, 5, config, 2);
  const LossAndGradient one = run<float>("cuda", config, flat, batch), other = run<float>("cuda", config, flat, batch);
  CHECK(one.loss == other.loss);
  CHECK(one.gradient == other.gradient);
}

TEST_CASE("products of lower precision move the gradient by about their rounding") {
  if (!has_cuda()) return;
  ModelConfig config = config_of({16, 16});
  config.activation = Activation::gelu;  // relu's gradient jumps where rounding moves a number across 0
  const ParameterTable table(config);
  const std::vector<double> flat = random_parameters(table, 3);
  const RowBatch batch = random_forest(Shape::random, 100, 0, config, 2);
  const std::vector<double> truth = run<double>("reference", config, flat, batch).gradient;
  for (const auto& [precision, unit] :
       {std::pair{Precision::tf32, 1.0 / 2048}, std::pair{Precision::bf16, 1.0 / 256}}) {
    BackendOptions options;
    options.precision = precision;
    std::vector<double> difference = run<float>("cuda", config, flat, batch, options).gradient;
    for (size_t i = 0; i < truth.size(); ++i) difference[i] -= truth[i];
    const double error = length(difference) / length(truth);
    CAPTURE(error);
    CHECK(error > unit / 10);
    CHECK(error < unit * 10);
    CHECK_THROWS_AS(make_backend<double>("cuda", model_shape(config, table), options), ArgumentError);
  }
}

TEST_CASE("the device keeps to its memory cap, says what it took, and takes no more for a batch like the last") {
  if (!has_cuda()) return;
  const ModelConfig config = config_of({16, 16});
  const ParameterTable table(config);
  BackendOptions options;
  options.memory_cap = Index{40} << 20;
  const auto backend = make_backend<float>("cuda", model_shape(config, table), options);
  const auto stream = backend->make_stream();
  const auto gradient = backend->make_gradient();
  Transformer<float> transformer(config, table, *stream);
  const std::vector<double> flat = random_parameters(table, 1);
  backend->set_parameters(std::vector<float>(flat.begin(), flat.end()));
  RowBatch batch = random_forest(Shape::random, 300, 0, config, 2);
  build_tiles(batch, backend->tile_rows());
  transformer.add_loss_and_gradient(batch, *gradient);
  transformer.add_loss_and_gradient(batch, *gradient);  // both halves of the upload have been used
  stream->take_loss();
  const Index peak = backend->statistics().peak_bytes, launches = backend->statistics().launches;
  transformer.add_loss_and_gradient(batch, *gradient);
  CHECK(std::isfinite(stream->take_loss()));
  CHECK(backend->statistics().peak_bytes == peak);
  CHECK(peak <= options.memory_cap);
  CHECK(backend->statistics().launches - launches < 100);

  options.memory_cap = Index{16} << 20;
  CHECK_THROWS_WITH_AS(make_backend<float>("cuda", model_shape(config, table), options)->make_stream(),
                       doctest::Contains("above the memory cap of 16 MiB"), DeviceError);
}

/// The losses and gradients of batches one after the other on one stream, and what the device did.
struct Series {
  std::vector<double> losses;
  std::vector<std::vector<double>> gradients;
  DeviceStatistics statistics;
};

Series series_of(const ModelConfig& config, std::vector<RowBatch> batches, const BackendOptions& options) {
  const ParameterTable table(config);
  const std::vector<double> flat = random_parameters(table, 3);
  const auto backend = make_backend<float>("cuda", model_shape(config, table), options);
  backend->set_parameters(std::vector<float>(flat.begin(), flat.end()));
  const auto stream = backend->make_stream();
  const auto gradient = backend->make_gradient();
  Transformer<float> transformer(config, table, *stream);
  Series series;
  for (RowBatch& batch : batches) {
    build_tiles(batch, backend->tile_rows());
    gradient->clear();
    transformer.add_loss_and_gradient(batch, *gradient);
    series.losses.push_back(stream->take_loss());
    gradient->add_to(series.gradients.emplace_back(flat.size()), 0, static_cast<int>(table.parameters().size()), 1);
  }
  series.statistics = backend->statistics();
  return series;
}

/// Windows with random tokens, one target each: only the tokens differ from seed to seed.
RowBatch window_batch(const ModelConfig& config, int n_windows, int length, uint64_t seed) {
  Random random(seed);
  const auto token = [&] { return static_cast<Token>(random.below(static_cast<uint64_t>(config.vocab_size))); };
  RowBatch batch;
  for (int row = 0; row < n_windows * length; ++row) {
    batch.begin_row(token(), row % length, row % length == 0 ? -1 : row - 1);
    batch.add_target(token(), 1);
    batch.end_row();
  }
  return batch;
}

TEST_CASE("windows are replayed as graphs, with the bits of single launches, whatever comes between them") {
  if (!has_cuda()) return;
  const ModelConfig config = config_of({8, 4});
  std::vector<RowBatch> batches;
  for (uint64_t seed = 0; seed < 6; ++seed) batches.push_back(window_batch(config, 3, 40, seed));
  batches.push_back(window_batch(config, 2, 40, 6));                   // another shape
  batches.push_back(random_forest(Shape::random, 200, 0, config, 7));  // for which buffers grow
  for (uint64_t seed = 8; seed < 14; ++seed) batches.push_back(window_batch(config, 3, 40, seed));
  const char* const emulated = std::getenv("AGPT_EMU_GRAPHS");  // 0: captures fail, and launches go on one by one
  const bool can_capture = emulated == nullptr || std::string(emulated) != "0";
  BackendOptions options;
  for (const bool deterministic : {true, false}) {
    options.deterministic = deterministic;
    options.graphs = true;
    const Series graphs = series_of(config, batches, options);
    options.graphs = false;
    const Series launches = series_of(config, batches, options);
    CHECK(graphs.losses == launches.losses);
    if (deterministic) CHECK(graphs.gradients == launches.gradients);
    CHECK(launches.statistics.graph_launches == 0);
    // Each half of the upload sees a list once before it is a graph, and the first batch of all makes room: 3 of 6, then
    // 4 of 6.
    CHECK(graphs.statistics.graph_launches == (can_capture ? 7 : 0));
    CHECK((graphs.statistics.launches < launches.statistics.launches * 2 / 3) == can_capture);
    CHECK(graphs.statistics.uploaded_bytes == launches.statistics.uploaded_bytes);
    CHECK(graphs.statistics.peak_bytes == launches.statistics.peak_bytes);
  }
}

TEST_CASE("a batch has the same gradient, expected or not, and so has one that comes in place of the expected one") {
  if (!has_cuda()) return;
  const ModelConfig config = config_of({8, 4});
  const ParameterTable table(config);
  const std::vector<double> flat = random_parameters(table, 3);
  std::vector<RowBatch> batches;
  for (const int n_rows : {40, 200, 70, 33})
    batches.push_back(random_forest(Shape::random, n_rows, 3, config, static_cast<uint64_t>(n_rows)));
  const auto backend = make_backend<float>("cuda", model_shape(config, table));
  backend->set_parameters(std::vector<float>(flat.begin(), flat.end()));
  for (RowBatch& batch : batches) build_tiles(batch, backend->tile_rows());
  const RowBatch unchanged = batches[1];
  // expect(i, stream) says what is expected while batch i is computed.
  const auto gradients_with = [&](const auto& expect) {
    std::vector<std::vector<double>> gradients;
    const auto stream = backend->make_stream();
    const auto gradient = backend->make_gradient();
    Transformer<float> transformer(config, table, *stream);
    for (size_t i = 0; i < batches.size(); ++i) {
      gradient->clear();
      transformer.add_loss_and_gradient(batches[i], *gradient);
      expect(i, *stream);
      gradient->add_to(gradients.emplace_back(flat.size()), 0, static_cast<int>(table.parameters().size()), 1);
      if (i % 2 == 1) transformer.add_loss(batches[0]);  // without a gradient, between
    }
    return gradients;
  };
  const auto expecting = [&](size_t number) {
    return [&batches, number](size_t i, Stream<float>& stream) {
      const BatchView view = view_of(batches[(i + number) % batches.size()]);
      stream.expect(&view);
    };
  };
  const auto truth = gradients_with([](size_t, Stream<float>&) {});
  CHECK(gradients_with(expecting(1)) == truth);
  CHECK(gradients_with(expecting(2)) == truth);
  CHECK(gradients_with([&](size_t i, Stream<float>& stream) {
          if (i != 0) return;
          batches[1].token[5] = (batches[1].token[5] + 1) % static_cast<Token>(config.vocab_size);
          expecting(1)(i, stream);
          batches[1].token = unchanged.token;  // in place: the arrays are where they were
          stream.expect(nullptr);
        }) == truth);
}

TEST_CASE("a gradient that outlives its stream is complete, and one that is dropped leaves nothing to be launched") {
  if (!has_cuda()) return;
  const ModelConfig config = config_of({8});
  const ParameterTable table(config);
  const std::vector<double> flat = random_parameters(table, 1);
  const auto backend = make_backend<float>("cuda", model_shape(config, table));
  backend->set_parameters(std::vector<float>(flat.begin(), flat.end()));
  RowBatch batch = window_batch(config, 2, 20, 1);
  build_tiles(batch, backend->tile_rows());
  std::vector<double> sums[2];
  const auto gradient = backend->make_gradient();
  for (std::vector<double>& sum : sums) {
    sum.resize(flat.size());
    gradient->clear();
    {
      const auto stream = backend->make_stream();
      const auto dropped = backend->make_gradient();
      Transformer<float>(config, table, *stream).add_loss_and_gradient(batch, *dropped);
      Transformer<float>(config, table, *stream).add_loss_and_gradient(batch, *gradient);
    }
    gradient->add_to(sum, 0, static_cast<int>(table.parameters().size()), 1);
  }
  CHECK(length(sums[0]) > 0);
  CHECK(sums[0] == sums[1]);
}

/// Three updates of a training state, with the gradient of `batch` each time; then the parameters and the moments.
std::pair<std::vector<double>, std::vector<double>> three_updates(const std::string& backend_name,
                                                                  const ModelConfig& config,
                                                                  const OptimizerConfig& optimizer, RowBatch batch) {
  const ParameterTable table(config);
  std::vector<double> flat = random_parameters(table, 4), gradient(flat.size());
  std::vector<double> moments(static_cast<size_t>(n_moments(optimizer.kind)) * flat.size());
  const auto backend = make_backend<double>(backend_name, model_shape(config, table));
  const auto stream = backend->make_stream();
  const auto slot = backend->make_gradient();
  const auto state = backend->make_training_state({flat, moments, gradient});
  state->send_parameters();
  state->send_moments();
  Transformer<double> transformer(config, table, *stream);
  build_tiles(batch, backend->tile_rows());
  const auto n_tensors = static_cast<int>(table.parameters().size());
  UpdateStep step{1, 0.01, batch.total_weight, batch.total_weight};
  for (; step.number <= 3; ++step.number) {
    if (state->is_in_place()) state->send_parameters();
    state->clear_gradient();
    slot->clear();
    transformer.add_loss_and_gradient(batch, *slot);
    state->add(*slot, 0, n_tensors, 1);
    const UpdateResult result = state->update(optimizer, step, 0.5, stream.get());
    CHECK(std::isfinite(result.loss));
    CHECK(result.gradient_norm > 0);
  }
  const double infinite = std::numeric_limits<double>::infinity();
  CHECK(!std::isfinite(state->update(optimizer, step, infinite, stream.get()).loss));  // and changes nothing
  state->fetch_parameters();
  state->fetch_moments();
  return {flat, moments};
}

TEST_CASE("updates on the device are the reference's for every optimizer, with decay and clipping") {
  if (!has_cuda()) return;
  const ModelConfig config = config_of({8, 4});
  const RowBatch batch = random_forest(Shape::random, 40, 3, config, 2);
  for (const OptimizerKind kind : {OptimizerKind::sgd, OptimizerKind::momentum, OptimizerKind::adam,
                                   OptimizerKind::rmsprop, OptimizerKind::rmsprop_corrected})
    for (const bool decays_vectors : {false, true}) {
      CAPTURE(static_cast<int>(kind));
      OptimizerConfig optimizer;
      optimizer.kind = kind;
      optimizer.epsilon = 1e-3;  // the formulas are compared, not how they blow up where a gradient is almost 0
      optimizer.weight_decay = 0.1;
      optimizer.decay_vectors = decays_vectors;
      optimizer.clip_norm = 0.2;
      const auto truth = three_updates("reference", config, optimizer, batch);
      const auto got = three_updates("cuda", config, optimizer, batch);
      for (size_t i = 0; i < truth.first.size(); ++i)
        CHECK(got.first[i] == doctest::Approx(truth.first[i]).epsilon(1e-8));
      for (size_t i = 0; i < truth.second.size(); ++i)
        CHECK(got.second[i] == doctest::Approx(truth.second[i]).epsilon(1e-8));
    }
}

}  // namespace
}  // namespace agpt::test
