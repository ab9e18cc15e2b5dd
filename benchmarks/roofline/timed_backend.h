// A backend that measures what another one does, operation by operation. Clock: has time(stage, operations, bytes, work)
// as StageClock does, and may measure something else than time.
#pragma once

#include <bit>
#include <memory>
#include <vector>

#include "benchmarks/roofline/stage_clock.h"
#include "cpp/backend/backend.h"

namespace agpt::roofline {

template <class Clock>
class TimedGradient final : public Gradient<float> {
 public:
  TimedGradient(std::unique_ptr<Gradient<float>> inner, double n_parameters, Clock& clock)
      : inner_(std::move(inner)), n_parameters_(n_parameters), clock_(clock) {}

  void clear() override {
    clock_.time(Stage::gradient_slots, 0, 4 * n_parameters_, [&] { inner_->clear(); });
  }
  void add_to(std::span<double> sum, int first_tensor, int end_tensor, double scale) const override {
    inner_->add_to(sum, first_tensor, end_tensor, scale);
  }
  Gradient<float>* inner() const { return inner_.get(); }

 private:
  const std::unique_ptr<Gradient<float>> inner_;
  const double n_parameters_;
  Clock& clock_;
};

template <class Clock>
std::vector<const Gradient<float>*> inner_gradients(std::span<const Gradient<float>* const> gradients) {
  std::vector<const Gradient<float>*> inner;
  for (const Gradient<float>* gradient : gradients)
    inner.push_back(static_cast<const TimedGradient<Clock>*>(gradient)->inner());
  return inner;
}

template <class Clock>
class TimedStream final : public Stream<float> {
 public:
  TimedStream(std::unique_ptr<Stream<float>> inner, const ModelShape& shape, Clock& clock)
      : inner_(std::move(inner)), shape_(shape), clock_(clock) {
    for (const int width : shape.heads) width_ += width;
  }
  Stream<float>* inner() const { return inner_.get(); }

  Rows<float> scratch(int slot, Index rows, Index columns) override { return inner_->scratch(slot, rows, columns); }
  void expect(const BatchView* batch) override { inner_->expect(batch); }
  void begin(const BatchView& batch, Gradient<float>* gradient) override {
    batch_ = batch;
    inner_->begin(batch, gradient == nullptr ? nullptr : static_cast<TimedGradient<Clock>*>(gradient)->inner());
  }

  void embed(int table, int position_table, Index begin, Index end, Rows<float> out) override {
    elementwise(Stage::embedding, 1, 2, columns(table), begin, end,
                [&] { inner_->embed(table, position_table, begin, end, out); });
  }
  void embed_backward(int table, int position_table, Index begin, Index end, Rows<float> dout) override {
    elementwise(Stage::embedding, 1, 3, columns(table), begin, end,
                [&] { inner_->embed_backward(table, position_table, begin, end, dout); });
  }
  void norm(const NormShape& shape, Index columns, Index begin, Index end, Rows<float> x, Rows<float> y,
            Rows<float> statistics) override {
    elementwise(Stage::norm_forward, 7, 2, columns, begin, end,
                [&] { inner_->norm(shape, columns, begin, end, x, y, statistics); });
  }
  void norm_backward(const NormShape& shape, Index columns, Index begin, Index end, Rows<float> x,
                     Rows<float> statistics, Rows<float> dy, Rows<float> dx, bool accumulate) override {
    elementwise(Stage::norm_backward, 14, accumulate ? 4 : 3, columns, begin, end,
                [&] { inner_->norm_backward(shape, columns, begin, end, x, statistics, dy, dx, accumulate); });
  }

  void linear(int layer, Index begin, Index end, Rows<float> x, Rows<float> y, Rows<float> residual) override {
    matrix(Stage::matrix_forward, layer, begin, end, [&] { inner_->linear(layer, begin, end, x, y, residual); });
  }
  void linear_activate(int layer, ElementwiseActivation kind, Index begin, Index end, Rows<float> x, Rows<float> before,
                       Rows<float> out) override {
    matrix(Stage::matrix_forward, layer, begin, end,
           [&] { inner_->linear_activate(layer, kind, begin, end, x, before, out); });
  }
  void linear_columns(int layer, Index first_column, Index end_column, Index begin, Index end, Rows<float> x,
                      Rows<float> y) override {
    matrix(
        Stage::matrix_forward, layer, begin, end,
        [&] { inner_->linear_columns(layer, first_column, end_column, begin, end, x, y); }, end_column - first_column);
  }
  void linear_backward_input(int layer, Index begin, Index end, Rows<float> dy, Rows<float> dx) override {
    matrix(Stage::matrix_input_gradient, layer, begin, end,
           [&] { inner_->linear_backward_input(layer, begin, end, dy, dx); });
  }
  void linear_backward_activate(int layer, ElementwiseActivation kind, Index begin, Index end, Rows<float> dy,
                                Rows<float> before, Rows<float> dbefore) override {
    matrix(Stage::matrix_input_gradient, layer, begin, end,
           [&] { inner_->linear_backward_activate(layer, kind, begin, end, dy, before, dbefore); });
  }
  void linear_backward_weight(int layer, Index begin, Index end, Rows<float> x, Rows<float> dy) override {
    matrix(Stage::matrix_weight_gradient, layer, begin, end,
           [&] { inner_->linear_backward_weight(layer, begin, end, x, dy); });
  }

  void rotate(Index begin, Index end, Rows<float> qkv, bool inverse) override {
    elementwise(Stage::rotation, 3, 2, 2 * width_, begin, end, [&] { inner_->rotate(begin, end, qkv, inverse); });
  }

  void attend(Index first_tile, Index end_tile, Rows<float> qkv, Rows<float> out, float* saved) override {
    attention(Stage::attention_forward, 4, first_tile, end_tile,
              [&] { inner_->attend(first_tile, end_tile, qkv, out, saved); });
  }
  void attend_backward(Index first_tile, Index end_tile, Rows<float> qkv, Rows<float> dout, const float* saved,
                       Rows<float> dqkv) override {
    attention(Stage::attention_backward, 8, first_tile, end_tile,
              [&] { inner_->attend_backward(first_tile, end_tile, qkv, dout, saved, dqkv); });
  }
  Index saved_attention_size(Index first_tile, Index end_tile) const override {
    return inner_->saved_attention_size(first_tile, end_tile);
  }

  void cross_entropy(Index columns, Index begin, Index end, Rows<float> logits, bool gradient) override {
    elementwise(Stage::loss, 10, 2, columns, begin, end,
                [&] { inner_->cross_entropy(columns, begin, end, logits, gradient); });
  }
  double take_loss() override { return inner_->take_loss(); }
  void row_losses(Index columns, Index begin, Index end, Rows<float> logits, std::span<double> losses) override {
    inner_->row_losses(columns, begin, end, logits, losses);
  }
  void read_rows(Index columns, Index begin, Index end, Rows<float> m, std::span<float> values) override {
    inner_->read_rows(columns, begin, end, m, values);
  }
  void clear(Index columns, Index begin, Index end, Rows<float> m) override {
    elementwise(Stage::clearing, 0, 1, columns, begin, end, [&] { inner_->clear(columns, begin, end, m); });
  }

 private:
  Index columns(int tensor) const { return shape_.tensors[static_cast<size_t>(tensor)].columns; }

  // So many operations and so many numbers moved for each number of the matrix.
  template <class Work>
  void elementwise(Stage stage, double flops, double moved, Index columns, Index begin, Index end, Work work) {
    const double n = static_cast<double>(columns * (end - begin));
    clock_.time(stage, flops * n, 4 * moved * n, work);
  }

  template <class Work>
  void matrix(Stage stage, int layer, Index begin, Index end, Work work, Index columns = 0) {
    const TensorShape& weight = shape_.tensors[static_cast<size_t>(shape_.linears[static_cast<size_t>(layer)].weight)];
    const auto rows = static_cast<double>(end - begin), k = static_cast<double>(weight.rows),
               n = static_cast<double>(columns > 0 ? columns : weight.columns);
    clock_.time(stage, 2 * rows * k * n, 4 * (rows * (k + n) + k * n), work);
  }

  // Operations for every pair of a row and a key that it sees and every column; operands are all rows and keys once a tile.
  template <class Work>
  void attention(Stage stage, double flops, Index first_tile, Index end_tile, Work work) {
    double pairs = 0, vectors = 0;
    clock_.time(Stage::measuring, 0, 0, [&] {
      for (Index t = first_tile; t < end_tile; ++t) {
        const Tile& tile = batch_.tiles[static_cast<size_t>(t)];
        for (auto key = tile.key_begin; key < tile.key_end; ++key)
          pairs += std::popcount(batch_.key_mask[static_cast<size_t>(key)]);
        vectors += 2 * (tile.key_end - tile.key_begin) + 2 * tile.n_rows;
      }
    });
    const auto width = static_cast<double>(width_);
    clock_.time(stage, flops * pairs * width, flops * vectors * width, work);
  }

  const std::unique_ptr<Stream<float>> inner_;
  const ModelShape& shape_;
  Clock& clock_;
  BatchView batch_;
  Index width_ = 0;
};

template <class Clock>
class TimedEmbeddingTables final : public EmbeddingTables<float> {
 public:
  TimedEmbeddingTables(std::unique_ptr<EmbeddingTables<float>> inner, double columns, Clock& clock)
      : inner_(std::move(inner)), columns_(columns), clock_(clock) {}

  void make() override {
    clock_.time(Stage::embedding, 0, 0, [&] { inner_->make(); });
  }
  void look_up(const BatchView& batch, Index begin, Index end, Rows<float> x, Rows<float> statistics,
               Rows<float> y) const override {
    const double n = columns_ * static_cast<double>(end - begin);
    clock_.time(Stage::embedding, 0, 8 * n, [&] { inner_->look_up(batch, begin, end, x, statistics, y); });
  }
  void add_gradient(const BatchView& batch, Index begin, Index end, Rows<float> x, Rows<float> statistics,
                    Rows<float> y, Rows<float> dy, Rows<float> dx, Gradient<float>& gradient) const override {
    Gradient<float>& inner = *static_cast<TimedGradient<Clock>&>(gradient).inner();
    const double n = columns_ * static_cast<double>(end - begin);
    clock_.time(Stage::embedding, n, 12 * n,
                [&] { inner_->add_gradient(batch, begin, end, x, statistics, y, dy, dx, inner); });
  }
  void finish(std::span<const Gradient<float>* const> gradients, Gradient<float>& into) override {
    clock_.time(Stage::embedding, 0, 0, [&] {
      inner_->finish(inner_gradients<Clock>(gradients), *static_cast<TimedGradient<Clock>&>(into).inner());
    });
  }

 private:
  const std::unique_ptr<EmbeddingTables<float>> inner_;
  const double columns_;
  Clock& clock_;
};

template <class Clock>
class TimedTrainingState final : public TrainingState<float> {
 public:
  TimedTrainingState(std::unique_ptr<TrainingState<float>> inner, const ModelShape& shape, double n_parameters,
                     Clock& clock)
      : inner_(std::move(inner)), shape_(shape), n_parameters_(n_parameters), clock_(clock) {}

  bool is_in_place() const override { return inner_->is_in_place(); }
  void send_parameters() override {
    clock_.time(Stage::weight_packing, 0, 16 * n_parameters_, [&] { inner_->send_parameters(); });
  }
  void send_moments() override { inner_->send_moments(); }
  void fetch_parameters() override { inner_->fetch_parameters(); }
  void fetch_moments() override { inner_->fetch_moments(); }
  void fetch_gradient() override { inner_->fetch_gradient(); }
  void clear_gradient() override {
    clock_.time(Stage::gradient_slots, 0, 8 * n_parameters_, [&] { inner_->clear_gradient(); });
  }
  void add(const Gradient<float>& addend, int first_tensor, int end_tensor, double scale) override {
    const Gradient<float>* one = &addend;
    add(std::span(&one, 1), first_tensor, end_tensor, scale);
  }
  void add(std::span<const Gradient<float>* const> addends, int first_tensor, int end_tensor, double scale) override {
    const std::vector<const Gradient<float>*> inner = inner_gradients<Clock>(addends);
    double n = 0;
    for (int t = first_tensor; t < end_tensor; ++t)
      n += static_cast<double>(shape_.tensors[static_cast<size_t>(t)].size());
    const auto n_addends = static_cast<double>(addends.size());
    clock_.time(Stage::gradient_slots, 2 * n * n_addends, n * (4 * n_addends + 16),
                [&] { inner_->add(inner, first_tensor, end_tensor, scale); });
  }
  UpdateResult update(const OptimizerConfig& config, const UpdateStep& step, double loss,
                      Stream<float>* running) override {
    Stream<float>* const stream = running == nullptr ? nullptr : static_cast<TimedStream<Clock>*>(running)->inner();
    return clock_.time(Stage::update, 14 * n_parameters_, 48 * n_parameters_,
                       [&] { return inner_->update(config, step, loss, stream); });
  }

 private:
  const std::unique_ptr<TrainingState<float>> inner_;
  const ModelShape& shape_;
  const double n_parameters_;
  Clock& clock_;
};

/// For one thread: streams share the clock.
template <class Clock>
class TimedBackend final : public Backend<float> {
 public:
  TimedBackend(std::unique_ptr<Backend<float>> inner, ModelShape shape, Clock& clock)
      : inner_(std::move(inner)), shape_(std::move(shape)), clock_(clock) {}

  std::string description() const override { return inner_->description(); }
  int tile_rows() const override { return inner_->tile_rows(); }
  int max_streams(int n_threads) const override { return inner_->max_streams(n_threads); }
  Index joined_rows() const override { return inner_->joined_rows(); }
  Index saved_attention_per_row(Index context) const override { return inner_->saved_attention_per_row(context); }
  Index activation_memory() const override { return inner_->activation_memory(); }
  DeviceStatistics statistics() const override { return inner_->statistics(); }
  void use_threads(ThreadPool* threads) override { inner_->use_threads(threads); }
  void set_parameters(std::span<const float> flat) override { inner_->set_parameters(flat); }
  std::unique_ptr<Stream<float>> make_stream() override {
    return std::make_unique<TimedStream<Clock>>(inner_->make_stream(), shape_, clock_);
  }
  std::unique_ptr<Gradient<float>> make_gradient() override {
    return std::make_unique<TimedGradient<Clock>>(inner_->make_gradient(), n_parameters(), clock_);
  }

  std::unique_ptr<EmbeddingTables<float>> make_embedding_tables(const EmbeddedLinearShape& tables) override {
    auto inner = inner_->make_embedding_tables(tables);
    if (inner == nullptr) return nullptr;
    const LinearShape& linear = shape_.linears[static_cast<size_t>(tables.linear)];
    const Index columns = shape_.tensors[static_cast<size_t>(linear.weight)].columns;
    return std::make_unique<TimedEmbeddingTables<Clock>>(std::move(inner), static_cast<double>(columns), clock_);
  }
  std::unique_ptr<TrainingState<float>> make_training_state(const TrainingArrays<float>& arrays) override {
    return std::make_unique<TimedTrainingState<Clock>>(inner_->make_training_state(arrays), shape_, n_parameters(),
                                                       clock_);
  }

 private:
  double n_parameters() const {
    double n = 0;
    for (const TensorShape& tensor : shape_.tensors) n += static_cast<double>(tensor.size());
    return n;
  }

  const std::unique_ptr<Backend<float>> inner_;
  const ModelShape shape_;
  Clock& clock_;
};

}  // namespace agpt::roofline
