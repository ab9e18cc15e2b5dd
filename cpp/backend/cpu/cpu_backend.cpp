#include "cpp/backend/cpu/cpu_backend.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <numeric>
#include <type_traits>

#include "cpp/backend/cpu/absorbed_attention.h"
#include "cpp/backend/cpu/embedding_tables.h"
#include "cpp/backend/cpu/packed_parameters.h"
#include "cpp/backend/host_stream.h"
#include "cpp/backend/host_training_state.h"

namespace agpt {
namespace {

/// Angles of the rotation for a row of q or k: x[c] * cosine[c] + x[c ^ 1] * sine[c].
template <class Real>
struct Rotation {
  bool pairs_are_even = true;      // every head starts at an even column, so c ^ 1 is the partner
  std::vector<Index> pair_column;  // first column of each rotated pair, for heads that start at odd columns
  Index period = 0;                // after so many columns they repeat
  AlignedBuffer<Real> cosine, sine, inverse_sine;  // (positions, period)
};

/// The fewest columns in whole vectors after which the heads repeat, or all.
Index period_of(const std::vector<int>& heads, Index model_width, int lanes) {
  const bool are_equal = std::ranges::all_of(heads, [&](int width) { return width == heads.front(); });
  const Index period = are_equal && !heads.empty() ? std::lcm(heads.front(), lanes) : model_width;
  return model_width % period == 0 ? period : model_width;
}

template <class Real>
class CpuBackend final : public HostBackend<Real> {
 public:
  CpuBackend(const ModelShape& shape, const std::string& kernels)
      : kernels_(select_kernels<Real>(kernels)), shape_(shape), layout_(shape), parameters_(shape_, layout_, kernels_) {
    for (const int width : shape_.heads) model_width_ += width;
    if (shape_.rotated_positions > 0) tabulate_rotation();
  }

  std::string description() const override {
    return std::string("cpu (") + kernels_.name + ", " + (std::is_same_v<Real, float> ? "float32" : "float64") + ")";
  }
  int tile_rows() const override { return kernels_.lanes; }
  int max_streams(int n_threads) const override { return n_threads; }

  void set_parameters(std::span<const Real> flat) override { parameters_.set(flat, *this); }
  std::unique_ptr<Stream<Real>> make_stream() override;
  std::unique_ptr<EmbeddingTables<Real>> make_embedding_tables(const EmbeddedLinearShape& tables) override {
    return make_cpu_embedding_tables<Real>(tables, shape_, layout_, kernels_, parameters_);
  }
  std::unique_ptr<Gradient<Real>> make_gradient() override { return std::make_unique<HostGradient<Real>>(layout_); }
  std::unique_ptr<TrainingState<Real>> make_training_state(const TrainingArrays<Real>& arrays) override {
    return make_host_training_state<Real>(*this, layout_, arrays, kernels_.optimizer_loops);
  }

  const KernelTable<Real>& kernels() const { return kernels_; }
  const ModelShape& shape() const { return shape_; }
  Index model_width() const { return model_width_; }
  Index columns(int tensor) const { return shape_.tensors[static_cast<size_t>(tensor)].columns; }
  const PackedLinear<Real>& linear(int layer) const { return parameters_.linear(layer); }
  const Rotation<Real>& rotation() const { return rotation_; }
  Index parameter_stride(int tensor) const { return layout_.stride(tensor); }
  const Real* parameter(int tensor) const { return parameters_.tensor(tensor); }
  const Real* rows_of_linear(int layer) const { return parameters_.rows_of_linear(layer); }

 private:
  void tabulate_rotation() {
    const Index n_positions = shape_.rotated_positions;
    Rotation<Real>& rotation = rotation_;
    rotation.period = period_of(shape_.heads, model_width_, kernels_.lanes);
    const auto size = static_cast<size_t>(n_positions * rotation.period);
    rotation.cosine = AlignedBuffer<Real>(size, "the rotation table");
    rotation.sine = AlignedBuffer<Real>(size, "the rotation table");
    rotation.inverse_sine = AlignedBuffer<Real>(size, "the rotation table");
    Index column = 0;
    for (const int width : shape_.heads) {
      rotation.pairs_are_even = rotation.pairs_are_even && column % 2 == 0;
      for (int i = 0; i < width; ++i) {
        const bool rotated = i / 2 * 2 + 1 < width;
        if (rotated && i % 2 == 0) rotation.pair_column.push_back(column + i);
        if (column + i >= rotation.period) continue;
        const double frequency = rotated ? std::pow(shape_.rotation_base, -static_cast<double>(i / 2 * 2) / width) : 0;
        for (Index p = 0; p < n_positions; ++p) {
          const double angle = static_cast<double>(p) * frequency,
                       sine = i % 2 == 0 ? -std::sin(angle) : std::sin(angle);
          const auto at = static_cast<size_t>(p * rotation.period + column + i);
          rotation.cosine[at] = static_cast<Real>(std::cos(angle));
          rotation.sine[at] = static_cast<Real>(sine);
          rotation.inverse_sine[at] = static_cast<Real>(-sine);
        }
      }
      column += width;
    }
  }

  const KernelTable<Real>& kernels_;
  ModelShape shape_;
  PaddedLayout layout_;
  PackedParameters<Real> parameters_;
  Rotation<Real> rotation_;
  Index model_width_ = 0;
};

template <class Real>
class CpuStream final : public HostStream<Real>, private AbsorbedAttention<Real> {
 public:
  explicit CpuStream(const CpuBackend<Real>& backend)
      : backend_(backend), kernels_(backend.kernels()), absorbed_(kernels_, backend.shape().heads) {}

  void embed(int table, int position_table, Index begin, Index end, Rows<Real> out) override {
    const Index columns = backend_.columns(table);
    for (Index r = begin; r < end; ++r) {
      Real* row = out.from(r).data;
      std::memcpy(row, backend_.parameter(table) + token(r) * backend_.parameter_stride(table),
                  static_cast<size_t>(columns) * sizeof(Real));
      if (position_table >= 0)
        kernels_.add(row, backend_.parameter(position_table) + position(r) * backend_.parameter_stride(position_table),
                     columns);
    }
  }

  void embed_backward(int table, int position_table, Index begin, Index end, Rows<Real> dout) override {
    const Index columns = backend_.columns(table);
    for (Index r = begin; r < end; ++r) {
      kernels_.add(gradient_->tensor(table).from(token(r)).data, dout.from(r).data, columns);
      if (position_table >= 0)
        kernels_.add(gradient_->tensor(position_table).from(position(r)).data, dout.from(r).data, columns);
    }
  }

  void norm(const NormShape& shape, Index columns, Index begin, Index end, Rows<Real> x, Rows<Real> y,
            Rows<Real> statistics) override {
    kernels_.norm(shape.subtract_mean, static_cast<Real>(shape.epsilon), backend_.parameter(shape.gain),
                  backend_.parameter(shape.bias), columns, end - begin, x.from(begin).data, x.stride,
                  y.from(begin).data, y.stride, statistics.from(begin).data, statistics.stride);
  }

  void norm_backward(const NormShape& shape, Index columns, Index begin, Index end, Rows<Real> x, Rows<Real> statistics,
                     Rows<Real> dy, Rows<Real> dx, bool accumulate) override {
    kernels_.norm_backward(shape.subtract_mean, backend_.parameter(shape.gain), columns, end - begin,
                           x.from(begin).data, x.stride, statistics.from(begin).data, statistics.stride,
                           dy.from(begin).data, dy.stride, dx.from(begin).data, dx.stride, accumulate,
                           gradient_of(shape.gain), gradient_of(shape.bias));
  }

  void linear(int layer, Index begin, Index end, Rows<Real> x, Rows<Real> y, Rows<Real> residual) override {
    MatmulArgs<Real> args = forward_args(layer, begin, end, x, y);
    if (residual.data != nullptr) {
      args.residual = residual.from(begin).data;
      args.residual_stride = residual.stride;
    }
    kernels_.matmul(args);
  }

  void linear_activate(int layer, ElementwiseActivation kind, Index begin, Index end, Rows<Real> x, Rows<Real> before,
                       Rows<Real> out) override {
    MatmulArgs<Real> args = forward_args(layer, begin, end, x, before);
    args.finish = gradient_ == nullptr ? Finish::activate : Finish::activate_and_keep_slope;
    finish(args, kind, begin, out);
    kernels_.matmul(args);
  }

  void linear_columns(int layer, Index first_column, Index end_column, Index begin, Index end, Rows<Real> x,
                      Rows<Real> y) override {
    const PackedLinear<Real>& packed = backend_.linear(layer);
    const Index width = kernels_.panel_width, first = first_column / width * width;
    const Index n = std::min(packed.outputs, (end_column + width - 1) / width * width) - first;
    MatmulArgs<Real> args = matmul_args(begin, end, x, packed.inputs, packed.forward.data() + packed.inputs * first, n,
                                        {y.data + first, y.stride});
    const Real* bias = backend_.parameter(backend_.shape().linears[static_cast<size_t>(layer)].bias);
    if (bias != nullptr) args.bias = bias + first;
    kernels_.matmul(args);
  }

  void linear_backward_input(int layer, Index begin, Index end, Rows<Real> dy, Rows<Real> dx) override {
    kernels_.matmul(backward_args(layer, begin, end, dy, dx));
  }

  void linear_backward_activate(int layer, ElementwiseActivation kind, Index begin, Index end, Rows<Real> dy,
                                Rows<Real> before, Rows<Real> dbefore) override {
    MatmulArgs<Real> args = backward_args(layer, begin, end, dy, dbefore);
    args.finish = Finish::multiply_by_slope;
    finish(args, kind, begin, before);
    kernels_.matmul(args);
  }

  void linear_backward_weight(int layer, Index begin, Index end, Rows<Real> x, Rows<Real> dy) override {
    if (begin == end) return;
    const LinearShape& shape = backend_.shape().linears[static_cast<size_t>(layer)];
    const PackedLinear<Real>& packed = backend_.linear(layer);
    const auto [dw, is_zero] = gradient_->target(shape.weight);
    const Rows<Real> from = x.from(begin), by = dy.from(begin);
    if (shape.transposed)
      kernels_.matmul_transposed(by.data, by.stride, from.data, from.stride, end - begin, packed.outputs, packed.inputs,
                                 dw.data, dw.stride, !is_zero);
    else
      kernels_.matmul_transposed(from.data, from.stride, by.data, by.stride, end - begin, packed.inputs, packed.outputs,
                                 dw.data, dw.stride, !is_zero);
    if (shape.bias >= 0) kernels_.column_sums(by.data, by.stride, end - begin, packed.outputs, gradient_of(shape.bias));
  }

  void rotate(Index begin, Index end, Rows<Real> qkv, bool inverse) override {
    const Rotation<Real>& rotation = backend_.rotation();
    const Real* sine = (inverse ? rotation.inverse_sine : rotation.sine).data();
    if (!rotation.pairs_are_even) return rotate_odd_pairs(begin, end, qkv, sine);
    const Index columns = 2 * backend_.model_width();  // q, then k
    kernels_.rotate_pairs({qkv.from(begin).data, qkv.stride, end - begin, columns, batch_.position.data() + begin,
                           rotation.cosine.data(), sine, rotation.period});
  }

  void attend(Index first_tile, Index end_tile, Rows<Real> qkv, Rows<Real> out, Real* saved) override {
    if (keeps_attention() || !heads_go_by_four()) return attend_by_head(first_tile, end_tile, qkv, out, saved);
    for (Index t = first_tile; t < end_tile; ++t)
      if (batch_.tiles[static_cast<size_t>(t)].n_rows == 1)
        attend_by_four(t, qkv, out);
      else
        attend_by_head(t, t + 1, qkv, out, saved);
  }

  void attend_backward(Index first_tile, Index end_tile, Rows<Real> qkv, Rows<Real> dout, const Real* saved,
                       Rows<Real> dqkv) override {
    AttentionArgs<Real> args = attention_args(qkv);
    args.dout_stride = dout.stride;
    args.dqkv_stride = dqkv.stride;
    const Index d = backend_.model_width();
    for_each_tile_head(first_tile, end_tile, const_cast<Real*>(saved), qkv, args, [&](Index column) {
      workspace_.grow(static_cast<size_t>(n_keys(*args.tile) * kernels_.lanes), "attention workspace");
      args.workspace = workspace_.data();
      args.dout = dout.data + column;
      args.dq = dqkv.data + column;
      args.dk = dqkv.data + d + column;
      args.dv = dqkv.data + 2 * d + column;
      kernels_.attend_backward(args);
    });
  }

  AbsorbedAttention<Real>* absorbed_attention() override { return this; }

  bool takes_keys() const override {
    return std::ranges::all_of(backend_.shape().heads, [&](int width) { return width % kernels_.lanes == 0; });
  }
  bool heads_go_by_four() const {
    const std::vector<int>& heads = backend_.shape().heads;
    return kernels_.attend_four_heads != nullptr && heads.size() % 4 == 0 && takes_keys() &&
           std::ranges::all_of(heads, [&](int width) { return width == heads.front(); });
  }

  void attend_absorbed(int layer, bool has_keys, Index first_tile, Index end_tile, Rows<Real> x, Rows<Real> qkv,
                       Rows<Real> out) override {
    const LinearShape& shape = backend_.shape().linears[static_cast<size_t>(layer)];
    const ProjectionWeights<Real> weights = {backend_.linear(layer).backward.data(), backend_.rows_of_linear(layer),
                                             backend_.parameter_stride(shape.weight), backend_.parameter(shape.bias)};
    absorbed_.attend(weights, has_keys, batch_, first_tile, end_tile, x, qkv, out);
  }

  Index saved_attention_size(Index first_tile, Index end_tile) const override {
    if (first_tile == end_tile || !keeps_attention()) return 0;
    const Index keys = batch_.tiles[static_cast<size_t>(end_tile - 1)].key_end -
                       batch_.tiles[static_cast<size_t>(first_tile)].key_begin;
    return keys * static_cast<Index>(backend_.shape().heads.size()) * kernels_.lanes;
  }

  double loss_of_rows(Index columns, Index begin, Index end, Rows<Real> logits, bool gradient) override {
    double loss = 0;
    for (Index r = begin; r < end; ++r) {
      const auto row = static_cast<size_t>(r);
      Real* values = logits.from(r).data;
      const double weight = batch_.weight[row];
      double weighted = 0;
      for (int32_t e = batch_.target_begin[row]; e < batch_.target_begin[row + 1]; ++e)
        weighted += batch_.target_weight[static_cast<size_t>(e)] *
                    static_cast<double>(values[batch_.target_token[static_cast<size_t>(e)]]);
      loss += weight * kernels_.log_sum_exp(values, columns, gradient, static_cast<Real>(weight)) - weighted;
      if (!gradient) continue;
      for (int32_t e = batch_.target_begin[row]; e < batch_.target_begin[row + 1]; ++e)
        values[batch_.target_token[static_cast<size_t>(e)]] -=
            static_cast<Real>(batch_.target_weight[static_cast<size_t>(e)]);
    }
    return loss;
  }

  void clear(Index columns, Index begin, Index end, Rows<Real> m) override {
    for (Index r = begin; r < end; ++r) std::memset(m.from(r).data, 0, static_cast<size_t>(columns) * sizeof(Real));
  }

 private:
  Index token(Index row) const { return batch_.token[static_cast<size_t>(row)]; }
  Index position(Index row) const { return batch_.position[static_cast<size_t>(row)]; }
  /// Without a gradient no backward pass follows: probabilities stay in cache, in the memory of the tile before.
  bool keeps_attention() const { return gradient_ != nullptr; }
  Real* gradient_of(int tensor) { return tensor < 0 ? nullptr : gradient_->tensor(tensor).data; }
  static Index n_keys(const Tile& tile) { return tile.key_end - tile.key_begin; }

  // Pairs of heads that start at odd columns, one by one.
  void rotate_odd_pairs(Index begin, Index end, Rows<Real> qkv, const Real* sine) {
    const Rotation<Real>& rotation = backend_.rotation();
    for (Index r = begin; r < end; ++r) {
      const Index angles = position(r) * rotation.period;
      for (const Index part : {Index{0}, backend_.model_width()})  // q, then k
        for (const Index c : rotation.pair_column)
          kernels_.rotate_pairs({qkv.from(r).data + part + c, qkv.stride, 1, 2, &kFirstPosition,
                                 rotation.cosine.data() + angles + c, sine + angles + c, 2});
    }
  }

  MatmulArgs<Real> matmul_args(Index begin, Index end, Rows<Real> a, Index k, const Real* packed, Index n,
                               Rows<Real> c) const {
    MatmulArgs<Real> args{};
    args.a = a.from(begin).data;
    args.a_stride = a.stride;
    args.m = end - begin;
    args.k = static_cast<int>(k);
    args.n = static_cast<int>(n);
    args.packed = packed;
    args.c = c.from(begin).data;
    args.c_stride = c.stride;
    return args;
  }

  MatmulArgs<Real> forward_args(int layer, Index begin, Index end, Rows<Real> x, Rows<Real> y) const {
    const PackedLinear<Real>& packed = backend_.linear(layer);
    MatmulArgs<Real> args = matmul_args(begin, end, x, packed.inputs, packed.forward.data(), packed.outputs, y);
    args.bias = backend_.parameter(backend_.shape().linears[static_cast<size_t>(layer)].bias);
    return args;
  }
  MatmulArgs<Real> backward_args(int layer, Index begin, Index end, Rows<Real> dy, Rows<Real> dx) const {
    const PackedLinear<Real>& packed = backend_.linear(layer);
    return matmul_args(begin, end, dy, packed.outputs, packed.backward.data(), packed.inputs, dx);
  }
  static void finish(MatmulArgs<Real>& args, ElementwiseActivation kind, Index begin, Rows<Real> other) {
    args.activation = kind;
    args.other = other.from(begin).data;
    args.other_stride = other.stride;
  }

  AttentionArgs<Real> attention_args(Rows<Real> qkv) const {
    AttentionArgs<Real> args{};
    args.is_saved = keeps_attention();
    args.key_row = batch_.key_row.data();
    args.key_mask = batch_.key_mask.data();
    args.qkv_stride = qkv.stride;
    return args;
  }

  void attend_by_head(Index first_tile, Index end_tile, Rows<Real> qkv, Rows<Real> out, Real* saved) {
    AttentionArgs<Real> args = attention_args(qkv);
    args.out_stride = out.stride;
    for_each_tile_head(first_tile, end_tile, saved, qkv, args, [&](Index column) {
      args.out = out.data + column;
      if (!args.is_saved) {
        workspace_.grow(static_cast<size_t>(n_keys(*args.tile) * kernels_.lanes), "attention workspace");
        args.saved = workspace_.data();
      }
      kernels_.attend(args);
    });
  }

  /// attend() of a tile of one row, where heads_go_by_four().
  void attend_by_four(Index tile_number, Rows<Real> qkv, Rows<Real> out) {
    const Tile& tile = batch_.tiles[static_cast<size_t>(tile_number)];
    const Index d = backend_.model_width(), width = backend_.shape().heads.front();
    workspace_.grow(static_cast<size_t>(n_keys(tile) * kernels_.lanes), "attention workspace");
    HeadsArgs<Real> args{};
    args.rows = batch_.key_row.data() + tile.key_begin, args.n_keys = static_cast<int>(n_keys(tile));
    args.scale = static_cast<Real>(1 / std::sqrt(static_cast<double>(width)));
    args.k_stride = args.v_stride = qkv.stride;
    args.q_step = args.k_step = args.v_step = args.out_step = args.k_columns = args.v_columns = width;
    args.p = workspace_.data();
    for (Index column = 0; column < d; column += 4 * width) {
      args.q = qkv.from(tile.first_row).data + column;
      args.k = qkv.data + d + column, args.v = qkv.data + 2 * d + column;
      args.out = out.from(tile.first_row).data + column;
      kernels_.attend_four_heads(args);
    }
  }

  // Sets tile, head, q, k, v and the saved probabilities of every (tile, head), then calls body(first column of the
  // head).
  template <class Body>
  void for_each_tile_head(Index first_tile, Index end_tile, Real* saved, Rows<Real> qkv, AttentionArgs<Real>& args,
                          Body body) {
    const Index d = backend_.model_width();
    for (Index t = first_tile; t < end_tile; ++t) {
      args.tile = &batch_.tiles[static_cast<size_t>(t)];
      Index column = 0;
      for (const int width : backend_.shape().heads) {
        args.width = width;
        args.scale = static_cast<Real>(1 / std::sqrt(static_cast<double>(width)));
        args.q = qkv.data + column;
        args.k = qkv.data + d + column;
        args.v = qkv.data + 2 * d + column;
        args.saved = saved;
        body(column);
        if (args.is_saved) saved += n_keys(*args.tile) * kernels_.lanes;
        column += width;
      }
    }
  }

  static constexpr int32_t kFirstPosition = 0;
  using HostStream<Real>::batch_;
  using HostStream<Real>::gradient_;
  const CpuBackend<Real>& backend_;
  const KernelTable<Real>& kernels_;
  AlignedBuffer<Real> workspace_;
  AbsorbedAttentionLoop<Real> absorbed_;
};

template <class Real>
std::unique_ptr<Stream<Real>> CpuBackend<Real>::make_stream() {
  return std::make_unique<CpuStream<Real>>(*this);
}

}  // namespace

template <class Real>
std::unique_ptr<Backend<Real>> make_cpu_backend(const ModelShape& shape, const std::string& kernels) {
  return std::make_unique<CpuBackend<Real>>(shape, kernels);
}

template std::unique_ptr<Backend<float>> make_cpu_backend<float>(const ModelShape&, const std::string&);
template std::unique_ptr<Backend<double>> make_cpu_backend<double>(const ModelShape&, const std::string&);

}  // namespace agpt
