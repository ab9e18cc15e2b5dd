#include "cpp/train/batch_runner.h"

#include <doctest/doctest.h>

#include "cpp/base/error.h"
#include "cpp/base/memory.h"
#include "cpp/train/activation_memory.h"
#include "tests/cpp/train/model_cases.h"

namespace agpt::test {
namespace {

/// The cpu backend, but with a device's wish for large batches and its limit of memory.
class JoiningBackend final : public Backend<double> {
 public:
  JoiningBackend(const ModelShape& shape, Index joined_rows, Index memory = 0)
      : cpu_(make_backend<double>("cpu", shape)), joined_rows_(joined_rows), memory_(memory) {}

  std::string description() const override { return cpu_->description(); }
  int tile_rows() const override { return cpu_->tile_rows(); }
  int max_streams(int n_threads) const override { return joined_rows_ > 0 ? 1 : n_threads; }
  Index joined_rows() const override { return joined_rows_; }
  Index activation_memory() const override { return memory_; }
  void set_parameters(std::span<const double> flat) override { cpu_->set_parameters(flat); }
  std::unique_ptr<Stream<double>> make_stream() override { return cpu_->make_stream(); }
  std::unique_ptr<Gradient<double>> make_gradient() override { return cpu_->make_gradient(); }
  std::unique_ptr<TrainingState<double>> make_training_state(const TrainingArrays<double>& arrays) override {
    return cpu_->make_training_state(arrays);
  }

 private:
  std::unique_ptr<Backend<double>> cpu_;
  Index joined_rows_, memory_;
};

/// Step n: 40 batches, random forests that differ from step to step.
class ForestSource final : public StepSource {
 public:
  explicit ForestSource(const ModelConfig& config) : config_(config) {}
  Index steps_per_pass() const override { return 5; }
  StepWork work(Index step) const override {
    return {40, [this, step](Index i, RowBatch& batch) {
              const RowBatch forest = random_forest(Shape::random, 5 + static_cast<int>(i) % 30, 0, config_,
                                                    static_cast<uint64_t>(100 * step + i));
              for (size_t r = 0; r < forest.token.size(); ++r) append(forest, r, batch);
            }};
  }
  StepWork whole_pass() const override { return work(0); }
  double pass_weight() const override { return 1; }
  Index pass_positions() const override { return 1; }

 private:
  static void append(const RowBatch& forest, size_t r, RowBatch& batch) {
    // Row numbers of the forest begin where it begins in the batch: at its first row.
    const auto begin = static_cast<int32_t>(batch.token.size() - r);
    batch.begin_row(static_cast<Token>(forest.token[r]), forest.position[r],
                    forest.parent[r] < 0 ? -1 : begin + forest.parent[r]);
    for (auto e = static_cast<size_t>(forest.target_begin[r]); e < static_cast<size_t>(forest.target_begin[r + 1]); ++e)
      batch.add_target(static_cast<Token>(forest.target_token[e]), forest.target_weight[e]);
    batch.end_row();
  }

  const ModelConfig config_;
};

struct Fixture {
  explicit Fixture(Index joined_rows, int threads)
      : backend(model_shape(config, table), joined_rows), runner(config, table, backend, threads) {
    backend.set_parameters(flat);
    state = backend.make_training_state({flat, {}, gradient});
  }
  double step(Index number) {
    state->clear_gradient();
    BatchTotals totals = runner.run_step(source, number, source.work(number), *state, {});
    if (runner.running_stream() != nullptr) totals.loss += runner.running_stream()->take_loss();
    return totals.loss;
  }

  const ModelConfig config = small_config({16, 16});
  const ParameterTable table{config};
  const ForestSource source{config};
  std::vector<double> flat = random_parameters(table, 3), gradient = std::vector<double>(flat.size());
  JoiningBackend backend;
  BatchRunner<double> runner;
  std::unique_ptr<TrainingState<double>> state;
};

TEST_CASE("joined batches have the loss and the gradient of the batches one by one, step after step") {
  Fixture apart(0, 2), joined(100, 2), one_thread(100, 1);
  for (const Index step : {0, 1, 2, 7, 3, 4}) {  // on, and from elsewhere
    const double loss = apart.step(step);
    CHECK(joined.step(step) == doctest::Approx(loss).epsilon(1e-12));
    CHECK(one_thread.step(step) == joined.step(step));
    CHECK(worst_tensor_error(apart.table, joined.gradient, apart.gradient) < 1e-10);
    CHECK(one_thread.gradient == joined.gradient);
  }
}

TEST_CASE("losses without a gradient have the same bits for every number of threads") {
  Fixture one(0, 1), three(0, 3);
  for (const Index step : {0, 1}) {
    const double loss = one.runner.run_by_position(one.source.work(step), 0, {}).loss;
    CHECK(three.runner.run_by_position(three.source.work(step), 0, {}).loss == loss);
  }
}

TEST_CASE("losses by position are complete when batches are joined, also behind an interrupted step") {
  Fixture apart(0, 2), joined(100, 3);
  joined.state->clear_gradient();
  int calls = 0;
  const auto stop = [&] {
    if (++calls == 3) throw ArgumentError("stopped");
  };
  CHECK_THROWS_AS(joined.runner.run_step(joined.source, 0, joined.source.work(0), *joined.state, stop), ArgumentError);
  for (const Index n_positions : {0, 6}) {
    const BatchTotals truth = apart.runner.run_by_position(apart.source.work(1), n_positions, {}),
                      totals = joined.runner.run_by_position(joined.source.work(1), n_positions, {});
    CHECK(totals.loss == doctest::Approx(truth.loss).epsilon(1e-12));
    CHECK(totals.positions == truth.positions);
    CHECK(totals.weight == doctest::Approx(truth.weight));
    REQUIRE(totals.by_position.size() == truth.by_position.size());
    for (size_t p = 0; p < truth.by_position.size(); ++p) {
      CHECK(totals.by_position[p].loss == doctest::Approx(truth.by_position[p].loss).epsilon(1e-12));
      CHECK(totals.by_position[p].positions == truth.by_position[p].positions);
    }
  }
}

TEST_CASE("the bytes of a row bound what a pass takes, and not by much") {
  for (const ModelCase& model : model_cases()) {
    CAPTURE(model.name);
    const ParameterTable table(model.config);
    const auto backend = make_backend<double>("reference", model_shape(model.config, table));  // keeps no attention
    backend->set_parameters(random_parameters(table, 1));
    const auto stream = backend->make_stream();
    const auto gradient = backend->make_gradient();
    RowBatch batch = random_forest(Shape::random, 100, 0, model.config, 2);
    build_tiles(batch, backend->tile_rows());
    Transformer<double> transformer(model.config, table, *stream);
    const size_t before = memory_reserved();
    transformer.add_loss_and_gradient(batch, *gradient);
    const auto taken = static_cast<Index>(memory_reserved() - before);
    const Index bytes = 100 * activation_bytes_per_row(model.config, 0, backend->tile_rows(), 8);
    CHECK(taken <= bytes);
    CHECK(taken > bytes * 3 / 4);
  }
}

TEST_CASE("a limit of memory makes joined batches smaller, and one that holds no batch is refused") {
  const ModelConfig config = small_config({16, 16});
  const ModelShape shape = model_shape(config, ParameterTable(config));
  const Index bytes = activation_bytes_per_row(config, 0, JoiningBackend(shape, 1).tile_rows(), 8);
  CHECK(joined_batch_rows(config, JoiningBackend(shape, 5000)) == 5000);
  CHECK(joined_batch_rows(config, JoiningBackend(shape, 5000, 9999 * bytes)) == 5000);
  CHECK(joined_batch_rows(config, JoiningBackend(shape, 5000, 2000 * bytes + 1)) == 2000);
  CHECK_THROWS_WITH_AS(joined_batch_rows(config, JoiningBackend(shape, 5000, 100 * bytes)),
                       doctest::Contains("--mem-cap"), MemoryCapError);
}

}  // namespace
}  // namespace agpt::test
