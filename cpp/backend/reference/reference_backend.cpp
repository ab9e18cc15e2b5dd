#include "cpp/backend/reference/reference_backend.h"

#include <cmath>
#include <numbers>
#include <type_traits>

#include "cpp/backend/host_stream.h"
#include "cpp/backend/host_training_state.h"
#include "cpp/base/error.h"

namespace agpt {
namespace {

template <class Real>
class ReferenceBackend;

template <class Real>
class ReferenceStream final : public HostStream<Real> {
 public:
  explicit ReferenceStream(const ReferenceBackend<Real>& backend) : backend_(backend) {}

  void embed(int table, int position_table, Index begin, Index end, Rows<Real> out) override {
    for (Index r = begin; r < end; ++r)
      for (Index c = 0; c < width(table); ++c) {
        double value = parameter(table, token(r), c);
        if (position_table >= 0) value += parameter(position_table, position(r), c);
        at(out, r, c) = static_cast<Real>(value);
      }
  }

  void embed_backward(int table, int position_table, Index begin, Index end, Rows<Real> dout) override {
    for (Index r = begin; r < end; ++r)
      for (Index c = 0; c < width(table); ++c) {
        at(gradient_->tensor(table), token(r), c) += at(dout, r, c);
        if (position_table >= 0) at(gradient_->tensor(position_table), position(r), c) += at(dout, r, c);
      }
  }

  void norm(const NormShape& shape, Index columns, Index begin, Index end, Rows<Real> x, Rows<Real> y,
            Rows<Real> statistics) override {
    for (Index r = begin; r < end; ++r) {
      double mean = 0, square = 0;
      if (shape.subtract_mean)
        for (Index c = 0; c < columns; ++c) mean += at(x, r, c) / static_cast<double>(columns);
      for (Index c = 0; c < columns; ++c) square += (at(x, r, c) - mean) * (at(x, r, c) - mean);
      const double scale = 1 / std::sqrt(square / static_cast<double>(columns) + shape.epsilon);
      at(statistics, r, 0) = static_cast<Real>(mean);
      at(statistics, r, 1) = static_cast<Real>(scale);
      for (Index c = 0; c < columns; ++c) {
        double value = (at(x, r, c) - mean) * scale;
        if (shape.gain >= 0) value *= parameter(shape.gain, 0, c);
        if (shape.bias >= 0) value += parameter(shape.bias, 0, c);
        at(y, r, c) = static_cast<Real>(value);
      }
    }
  }

  void norm_backward(const NormShape& shape, Index columns, Index begin, Index end, Rows<Real> x, Rows<Real> statistics,
                     Rows<Real> dy, Rows<Real> dx, bool accumulate) override {
    std::vector<double> normed(static_cast<size_t>(columns)), g(static_cast<size_t>(columns));
    for (Index r = begin; r < end; ++r) {
      const double mean = at(statistics, r, 0), scale = at(statistics, r, 1);
      double mean_g = 0, mean_g_normed = 0;
      for (Index c = 0; c < columns; ++c) {
        const auto i = static_cast<size_t>(c);
        normed[i] = (at(x, r, c) - mean) * scale;
        g[i] = at(dy, r, c) * (shape.gain >= 0 ? static_cast<double>(parameter(shape.gain, 0, c)) : 1.0);
        if (shape.gain >= 0) at(gradient_->tensor(shape.gain), 0, c) += static_cast<Real>(at(dy, r, c) * normed[i]);
        if (shape.bias >= 0) at(gradient_->tensor(shape.bias), 0, c) += at(dy, r, c);
        mean_g += g[i] / static_cast<double>(columns);
        mean_g_normed += g[i] * normed[i] / static_cast<double>(columns);
      }
      if (!shape.subtract_mean) mean_g = 0;
      for (Index c = 0; c < columns; ++c) {
        const auto i = static_cast<size_t>(c);
        const double value = scale * (g[i] - mean_g - normed[i] * mean_g_normed);
        at(dx, r, c) = static_cast<Real>(accumulate ? at(dx, r, c) + value : value);
      }
    }
  }

  void linear(int layer, Index begin, Index end, Rows<Real> x, Rows<Real> y, Rows<Real> residual) override {
    const LinearShape& shape = linear_shape(layer);
    for (Index r = begin; r < end; ++r)
      for (Index o = 0; o < outputs(layer); ++o) {
        double sum = shape.bias >= 0 ? parameter(shape.bias, 0, o) : Real{0};
        for (Index i = 0; i < inputs(layer); ++i) sum += static_cast<double>(at(x, r, i)) * weight(layer, i, o);
        if (residual.data != nullptr) sum += at(residual, r, o);
        at(y, r, o) = static_cast<Real>(sum);
      }
  }

  void linear_backward_input(int layer, Index begin, Index end, Rows<Real> dy, Rows<Real> dx) override {
    for (Index r = begin; r < end; ++r)
      for (Index i = 0; i < inputs(layer); ++i) {
        double sum = 0;
        for (Index o = 0; o < outputs(layer); ++o) sum += static_cast<double>(at(dy, r, o)) * weight(layer, i, o);
        at(dx, r, i) = static_cast<Real>(sum);
      }
  }

  void linear_backward_weight(int layer, Index begin, Index end, Rows<Real> x, Rows<Real> dy) override {
    const LinearShape& shape = linear_shape(layer);
    const Rows<Real> dw = gradient_->tensor(shape.weight);
    for (Index i = 0; i < inputs(layer); ++i)
      for (Index o = 0; o < outputs(layer); ++o) {
        double sum = 0;
        for (Index r = begin; r < end; ++r) sum += static_cast<double>(at(x, r, i)) * at(dy, r, o);
        (shape.transposed ? at(dw, o, i) : at(dw, i, o)) += static_cast<Real>(sum);
      }
    if (shape.bias < 0) return;
    for (Index o = 0; o < outputs(layer); ++o) {
      double sum = 0;
      for (Index r = begin; r < end; ++r) sum += at(dy, r, o);
      at(gradient_->tensor(shape.bias), 0, o) += static_cast<Real>(sum);
    }
  }

  void linear_activate(int layer, ElementwiseActivation kind, Index begin, Index end, Rows<Real> x, Rows<Real> before,
                       Rows<Real> out) override {
    linear(layer, begin, end, x, before, {});
    for (Index r = begin; r < end; ++r)
      for (Index c = 0; c < outputs(layer); ++c) {
        const double value = at(before, r, c), positive = value > 0 ? value : 0;
        at(out, r, c) =
            static_cast<Real>(kind == ElementwiseActivation::relu           ? positive
                              : kind == ElementwiseActivation::relu_squared ? positive * positive
                                                                            : value * normal_distribution(value));
      }
  }

  void linear_backward_activate(int layer, ElementwiseActivation kind, Index begin, Index end, Rows<Real> dy,
                                Rows<Real> before, Rows<Real> dbefore) override {
    linear_backward_input(layer, begin, end, dy, dbefore);
    for (Index r = begin; r < end; ++r)
      for (Index c = 0; c < inputs(layer); ++c) {
        const double value = at(before, r, c);
        const double slope = kind == ElementwiseActivation::relu ? (value > 0 ? 1 : 0)
                             : kind == ElementwiseActivation::relu_squared
                                 ? (value > 0 ? 2 * value : 0)
                                 : normal_distribution(value) + value * normal_density(value);
        at(dbefore, r, c) = static_cast<Real>(at(dbefore, r, c) * slope);
      }
  }

  void rotate(Index begin, Index end, Rows<Real> qkv, bool inverse) override {
    const Index d = model_width();
    for (Index r = begin; r < end; ++r)
      for (Index part = 0; part < 2; ++part) {  // q, then k
        Index column = part * d;
        for (const int width : backend_.shape().heads) {
          for (int i = 0; i + 1 < width; i += 2) {
            const double angle = static_cast<double>(position(r)) *
                                 std::pow(backend_.shape().rotation_base, -static_cast<double>(i) / width);
            const double sine = inverse ? -std::sin(angle) : std::sin(angle), cosine = std::cos(angle);
            const double a = at(qkv, r, column + i), b = at(qkv, r, column + i + 1);
            at(qkv, r, column + i) = static_cast<Real>(a * cosine - b * sine);
            at(qkv, r, column + i + 1) = static_cast<Real>(a * sine + b * cosine);
          }
          column += width;
        }
      }
  }

  // Walks the parents of each row: the definition of attention on a tree. Nothing is saved; probabilities are
  // recomputed.
  void attend(Index first_tile, Index end_tile, Rows<Real> qkv, Rows<Real> out, Real*) override {
    for_each_query(first_tile, end_tile, qkv,
                   [&](Index r, Index column, int width, const std::vector<Index>& path, const std::vector<double>& p) {
                     for (int c = 0; c < width; ++c) {
                       double sum = 0;
                       for (size_t k = 0; k < path.size(); ++k)
                         sum += p[k] * at(qkv, path[k], value_column(column) + c);
                       at(out, r, column + c) = static_cast<Real>(sum);
                     }
                   });
  }

  void attend_backward(Index first_tile, Index end_tile, Rows<Real> qkv, Rows<Real> dout, const Real*,
                       Rows<Real> dqkv) override {
    for (Index t = first_tile; t < end_tile; ++t) {
      const Tile& tile = batch_.tiles[static_cast<size_t>(t)];
      clear(3 * model_width(), tile.first_row, tile.first_row + tile.n_rows, dqkv);
    }
    for_each_query(first_tile, end_tile, qkv,
                   [&](Index r, Index column, int width, const std::vector<Index>& path, const std::vector<double>& p) {
                     const Index keys = key_column(column), values = value_column(column);
                     std::vector<double> dp(path.size(), 0.0);
                     double mean = 0;
                     for (size_t k = 0; k < path.size(); ++k) {
                       for (int c = 0; c < width; ++c) {
                         dp[k] += static_cast<double>(at(dout, r, column + c)) * at(qkv, path[k], values + c);
                         at(dqkv, path[k], values + c) += static_cast<Real>(p[k] * at(dout, r, column + c));
                       }
                       mean += p[k] * dp[k];
                     }
                     for (int c = 0; c < width; ++c) {
                       double dq = 0;
                       for (size_t k = 0; k < path.size(); ++k) {
                         const double ds = p[k] * (dp[k] - mean) / std::sqrt(width);
                         dq += ds * at(qkv, path[k], keys + c);
                         at(dqkv, path[k], keys + c) += static_cast<Real>(ds * at(qkv, r, column + c));
                       }
                       at(dqkv, r, column + c) = static_cast<Real>(dq);
                     }
                   });
  }

  Index saved_attention_size(Index, Index) const override { return 0; }

  double loss_of_rows(Index columns, Index begin, Index end, Rows<Real> logits, bool gradient) override {
    double loss = 0;
    for (Index r = begin; r < end; ++r) {
      const auto row = static_cast<size_t>(r);
      double largest = at(logits, r, 0), sum = 0;
      for (Index c = 1; c < columns; ++c) largest = std::max(largest, static_cast<double>(at(logits, r, c)));
      for (Index c = 0; c < columns; ++c) sum += std::exp(at(logits, r, c) - largest);
      const double log_sum = largest + std::log(sum), weight = batch_.weight[row];
      for (int32_t e = batch_.target_begin[row]; e < batch_.target_begin[row + 1]; ++e)
        loss += target_weight(e) * (log_sum - at(logits, r, target_token(e)));
      if (!gradient) continue;
      for (Index c = 0; c < columns; ++c)
        at(logits, r, c) = static_cast<Real>(weight * std::exp(at(logits, r, c) - log_sum));
      for (int32_t e = batch_.target_begin[row]; e < batch_.target_begin[row + 1]; ++e)
        at(logits, r, target_token(e)) -= static_cast<Real>(target_weight(e));
    }
    return loss;
  }

  void clear(Index columns, Index begin, Index end, Rows<Real> m) override {
    for (Index r = begin; r < end; ++r)
      for (Index c = 0; c < columns; ++c) at(m, r, c) = 0;
  }

 private:
  static Real& at(Rows<Real> m, Index row, Index column) { return m.data[row * m.stride + column]; }
  static double normal_distribution(double x) { return 0.5 * std::erfc(-x / std::numbers::sqrt2); }
  static double normal_density(double x) { return std::exp(-x * x / 2) / std::sqrt(2 * std::numbers::pi); }

  Index token(Index row) const { return batch_.token[static_cast<size_t>(row)]; }
  Index position(Index row) const { return batch_.position[static_cast<size_t>(row)]; }
  double target_weight(int32_t entry) const { return batch_.target_weight[static_cast<size_t>(entry)]; }
  Index target_token(int32_t entry) const { return batch_.target_token[static_cast<size_t>(entry)]; }

  const TensorShape& tensor_shape(int tensor) const { return backend_.shape().tensors[static_cast<size_t>(tensor)]; }
  const LinearShape& linear_shape(int layer) const { return backend_.shape().linears[static_cast<size_t>(layer)]; }
  Index width(int tensor) const { return tensor_shape(tensor).columns; }
  Real parameter(int tensor, Index row, Index column) const {
    return backend_.parameters()[static_cast<size_t>(tensor_shape(tensor).offset + row * width(tensor) + column)];
  }
  Index inputs(int layer) const {
    const TensorShape& tensor = tensor_shape(linear_shape(layer).weight);
    return linear_shape(layer).transposed ? tensor.columns : tensor.rows;
  }
  Index outputs(int layer) const {
    const TensorShape& tensor = tensor_shape(linear_shape(layer).weight);
    return linear_shape(layer).transposed ? tensor.rows : tensor.columns;
  }
  Real weight(int layer, Index input, Index output) const {
    const LinearShape& shape = linear_shape(layer);
    return shape.transposed ? parameter(shape.weight, output, input) : parameter(shape.weight, input, output);
  }

  Index model_width() const {
    Index sum = 0;
    for (const int width : backend_.shape().heads) sum += width;
    return sum;
  }
  Index key_column(Index column) const { return model_width() + column; }
  Index value_column(Index column) const { return 2 * model_width() + column; }

  // Calls body(row, first column of the head, its width, rows on the path, probabilities) for every row of the tiles.
  template <class Body>
  void for_each_query(Index first_tile, Index end_tile, Rows<Real> qkv, Body body) {
    std::vector<Index> path;
    std::vector<double> p;
    for (Index t = first_tile; t < end_tile; ++t) {
      const Tile& tile = batch_.tiles[static_cast<size_t>(t)];
      for (Index r = tile.first_row; r < tile.first_row + tile.n_rows; ++r) {
        path.clear();
        for (Index k = r; k >= 0; k = batch_.parent[static_cast<size_t>(k)]) path.push_back(k);
        Index column = 0;
        for (const int width : backend_.shape().heads) {
          p.assign(path.size(), 0.0);
          double largest = -INFINITY, sum = 0;
          for (size_t k = 0; k < path.size(); ++k) {
            for (int c = 0; c < width; ++c)
              p[k] += static_cast<double>(at(qkv, r, column + c)) * at(qkv, path[k], key_column(column) + c);
            p[k] /= std::sqrt(width);
            largest = std::max(largest, p[k]);
          }
          for (double& value : p) sum += value = std::exp(value - largest);
          for (double& value : p) value /= sum;
          body(r, column, width, path, p);
          column += width;
        }
      }
    }
  }

  using HostStream<Real>::batch_;
  using HostStream<Real>::gradient_;
  const ReferenceBackend<Real>& backend_;
};

template <class Real>
class ReferenceBackend final : public HostBackend<Real> {
 public:
  explicit ReferenceBackend(const ModelShape& shape) : shape_(shape), layout_(shape) {}

  std::string description() const override {
    return std::string("reference (plain loops, ") + (std::is_same_v<Real, float> ? "float32" : "float64") + ")";
  }
  int tile_rows() const override { return 8; }
  int max_streams(int n_threads) const override { return n_threads; }
  void set_parameters(std::span<const Real> flat) override { parameters_.assign(flat.begin(), flat.end()); }
  std::unique_ptr<Stream<Real>> make_stream() override { return std::make_unique<ReferenceStream<Real>>(*this); }
  std::unique_ptr<Gradient<Real>> make_gradient() override { return std::make_unique<HostGradient<Real>>(layout_); }
  std::unique_ptr<TrainingState<Real>> make_training_state(const TrainingArrays<Real>& arrays) override {
    return make_host_training_state<Real>(*this, layout_, arrays);
  }

  const ModelShape& shape() const { return shape_; }
  const std::vector<Real>& parameters() const { return parameters_; }

 private:
  ModelShape shape_;
  PaddedLayout layout_;
  std::vector<Real> parameters_;
};

}  // namespace

template <class Real>
std::unique_ptr<Backend<Real>> make_reference_backend(const ModelShape& shape) {
  return std::make_unique<ReferenceBackend<Real>>(shape);
}

template std::unique_ptr<Backend<float>> make_reference_backend<float>(const ModelShape&);
template std::unique_ptr<Backend<double>> make_reference_backend<double>(const ModelShape&);

}  // namespace agpt
