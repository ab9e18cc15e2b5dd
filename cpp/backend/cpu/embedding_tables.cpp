#include "cpp/backend/cpu/embedding_tables.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <span>
#include <vector>

#include "cpp/backend/host_gradient.h"

namespace agpt {
namespace {

// The layer's inputs that a row is computed for: every token, then every position, then the bias of the norm, where they
// exist. Without positions the scale depends on the token alone, so whole outputs are tabulated and copied.
template <class Real>
class CpuEmbeddingTables final : public EmbeddingTables<Real> {
 public:
  CpuEmbeddingTables(const EmbeddedLinearShape& shape, const LinearShape& linear, const PaddedLayout& layout,
                     const KernelTable<Real>& kernels, const PackedParameters<Real>& parameters)
      : shape_(shape),
        linear_(linear),
        layout_(layout),
        kernels_(kernels),
        parameters_(parameters),
        n_tokens_(layout.rows(shape.embedding)),
        n_positions_(shape.position_embedding < 0 ? 0 : layout.rows(shape.position_embedding)),
        n_rows_(n_tokens_ + n_positions_ + (shape.norm.bias < 0 ? 0 : 1)),
        d_(layout.tensors[static_cast<size_t>(shape.embedding)].columns),
        outputs_(parameters.linear(shape.linear).outputs) {}

  void make() override {
    make_inputs();
    table_.grow(static_cast<size_t>(n_rows_ * stride()), kPurpose);
    multiply(inputs_.data(), d_, parameters_.linear(shape_.linear).forward, outputs_, table_.data());
    constant_.grow(static_cast<size_t>(stride()), kPurpose);
    std::fill_n(constant_.data(), stride(), Real{0});
    if (shape_.norm.bias >= 0) kernels_.add(constant_.data(), table_row(n_tokens_ + n_positions_), stride());
    if (linear_.bias >= 0) kernels_.add(constant_.data(), parameters_.tensor(linear_.bias), outputs_);
    if (!has_positions()) scale_tokens();
  }

  void look_up(const BatchView& batch, Index begin, Index end, Rows<Real> x, Rows<Real> statistics,
               Rows<Real> y) const override {
    if (has_positions()) return kernels_.look_up_rows(rows_args(batch, begin, end, x, statistics, y));
    for (Index r = begin; r < end; ++r)
      std::memcpy(y.from(r).data, table_row(batch.token[static_cast<size_t>(r)]),
                  static_cast<size_t>(outputs_) * sizeof(Real));
  }

  void add_gradient(const BatchView& batch, Index begin, Index end, Rows<Real> x, Rows<Real> statistics, Rows<Real> y,
                    Rows<Real> dy, Rows<Real> dx, Gradient<Real>& gradient) const override {
    Real* const sums = static_cast<HostGradient<Real>&>(gradient).table(sums_size());
    if (!has_positions()) {
      for (Index r = begin; r < end; ++r)
        kernels_.add(sums + batch.token[static_cast<size_t>(r)] * stride(), dy.from(r).data, outputs_);
      return;
    }
    TableRowsArgs<Real> args = rows_args(batch, begin, end, x, statistics, y);
    args.dy = dy.from(begin).data, args.dy_stride = dy.stride;
    args.dx = dx.from(begin).data, args.dx_stride = dx.stride;
    args.token_sums = sums;
    args.position_sums = sums + n_tokens_ * stride();
    kernels_.add_to_table_rows(args);
    if (has_constant()) kernels_.column_sums(args.dy, dy.stride, end - begin, outputs_, sums + n_rows_ * stride());
  }

  void finish(std::span<const Gradient<Real>* const> gradients, Gradient<Real>& into) override {
    if (!add_up(gradients)) return;
    auto& gradient = static_cast<HostGradient<Real>&>(into);
    if (!has_positions()) finish_tokens(gradient.tensor(shape_.embedding));
    const Real* const column_sums = sums_row(n_rows_);
    if (linear_.bias >= 0) kernels_.add(gradient.tensor(linear_.bias).data, column_sums, outputs_);
    if (shape_.norm.bias >= 0) std::copy_n(column_sums, stride(), sums_row(n_tokens_ + n_positions_));
    const Rows<Real> dw = gradient.tensor(linear_.weight);
    kernels_.matmul_transposed(inputs_.data(), input_stride(), sums_.data(), stride(), n_rows_, d_, outputs_, dw.data,
                               dw.stride, true);
    dinputs_.grow(static_cast<size_t>(n_rows_ * input_stride()), kPurpose);
    multiply(sums_.data(), outputs_, parameters_.linear(shape_.linear).backward, d_, dinputs_.data());
    finish_norm(gradient);
  }

 private:
  static constexpr const char* kPurpose = "tables of the first layer";

  bool has_positions() const { return n_positions_ > 0; }
  bool has_constant() const { return linear_.bias >= 0 || shape_.norm.bias >= 0; }
  Index input_stride() const { return padded_width(d_); }
  Index stride() const { return padded_width(outputs_); }
  /// What a gradient keeps: the sum of scale * dy for each row of the table, and the column sums of dy.
  Index sums_size() const { return (n_rows_ + 1) * stride(); }
  Real* sums_row(Index row) { return sums_.data() + row * stride(); }
  const Real* table_row(Index row) const { return table_.data() + row * stride(); }

  const Real* embedding_of(Index row) const {
    const bool is_token = row < n_tokens_;
    const int tensor = is_token ? shape_.embedding : shape_.position_embedding;
    return parameters_.tensor(tensor) + (is_token ? row : row - n_tokens_) * layout_.stride(tensor);
  }

  void make_inputs() {
    inputs_.grow(static_cast<size_t>(n_rows_ * input_stride()), kPurpose);
    centred_.grow(static_cast<size_t>(n_rows_ * input_stride()), kPurpose);
    const Real* gain = parameters_.tensor(shape_.norm.gain);
    for (Index row = 0; row < n_tokens_ + n_positions_; ++row) {
      const Real* const from = embedding_of(row);
      Real *const centred = centred_.data() + row * input_stride(), *const input =
                                                                        inputs_.data() + row * input_stride();
      const Real mean = shape_.norm.subtract_mean ? mean_of(from) : Real{0};
      for (Index c = 0; c < d_; ++c) {
        centred[c] = from[c] - mean;
        input[c] = gain == nullptr ? centred[c] : centred[c] * gain[c];
      }
    }
    if (shape_.norm.bias >= 0)
      std::copy_n(parameters_.tensor(shape_.norm.bias), d_,
                  inputs_.data() + (n_tokens_ + n_positions_) * input_stride());
  }

  Real mean_of(const Real* row) const {
    Real sum = 0;
    for (Index c = 0; c < d_; ++c) sum += row[c];
    return sum / static_cast<Real>(d_);
  }

  /// Turns the rows of tokens into outputs.
  void scale_tokens() {
    scales_.resize(static_cast<size_t>(n_tokens_));
    for (Index token = 0; token < n_tokens_; ++token) {
      const Real* const centred = centred_.data() + token * input_stride();
      Real squares = 0;
      for (Index c = 0; c < d_; ++c) squares += centred[c] * centred[c];
      const Real scale = 1 / std::sqrt(squares / static_cast<Real>(d_) + static_cast<Real>(shape_.norm.epsilon));
      scales_[static_cast<size_t>(token)] = scale;
      Real* const row = table_.data() + token * stride();
      for (Index c = 0; c < outputs_; ++c) row[c] = scale * row[c] + constant_[static_cast<size_t>(c)];
    }
  }

  TableRowsArgs<Real> rows_args(const BatchView& batch, Index begin, Index end, Rows<Real> x, Rows<Real> statistics,
                                Rows<Real> y) const {
    TableRowsArgs<Real> args{};
    args.rows = end - begin, args.inputs = d_, args.outputs = outputs_;
    args.token = batch.token.data() + begin, args.position = batch.position.data() + begin;
    args.subtract_mean = shape_.norm.subtract_mean, args.epsilon = static_cast<Real>(shape_.norm.epsilon);
    args.by_token = table_row(0), args.by_position = table_row(n_tokens_), args.table_stride = stride();
    args.constant = constant_.data();
    args.x = x.from(begin).data, args.x_stride = x.stride;
    args.statistics = statistics.from(begin).data, args.statistics_stride = statistics.stride;
    args.y = y.from(begin).data, args.y_stride = y.stride;
    return args;
  }

  /// c = a (rows of the table, k) times a packed matrix (k, n).
  void multiply(const Real* a, Index k, const AlignedBuffer<Real>& packed, Index n, Real* c) const {
    MatmulArgs<Real> args{};
    args.a = a, args.a_stride = padded_width(k);
    args.m = n_rows_, args.k = static_cast<int>(k), args.n = static_cast<int>(n);
    args.packed = packed.data();
    args.c = c, args.c_stride = padded_width(n);
    kernels_.matmul(args);
  }

  /// sums_ = what the gradients have kept, if any has.
  bool add_up(std::span<const Gradient<Real>* const> gradients) {
    kept_.clear();
    for (const Gradient<Real>* gradient : gradients)
      if (const Real* const kept = static_cast<const HostGradient<Real>*>(gradient)->table()) kept_.push_back(kept);
    totals_.resize(static_cast<size_t>(sums_size()));
    kernels_.optimizer_loops.add_gradients(totals_.data(), kept_.data(), static_cast<int>(kept_.size()), sums_size(), 1,
                                           true);
    sums_.grow(totals_.size(), kPurpose);
    std::transform(totals_.begin(), totals_.end(), sums_.data(), [](double total) { return static_cast<Real>(total); });
    return !kept_.empty();
  }

  /// From sums of dy by token to those of scale * dy, the column sums, and what the norm takes away of each embedding.
  void finish_tokens(Rows<Real> dembedding) {
    Real* const column_sums = sums_row(n_rows_);
    for (Index token = 0; token < n_tokens_; ++token) {
      Real* const sum = sums_row(token);
      kernels_.add(column_sums, sum, outputs_);
      const Real* const y = table_row(token);
      Real along = 0;
      for (Index c = 0; c < outputs_; ++c) along += sum[c] * (y[c] - constant_[static_cast<size_t>(c)]);
      const Real scale = scales_[static_cast<size_t>(token)], share = scale * scale * along / static_cast<Real>(d_);
      for (Index c = 0; c < outputs_; ++c) sum[c] *= scale;
      const Real* const centred = centred_.data() + token * input_stride();
      Real* const dx = dembedding.from(token).data;
      for (Index c = 0; c < d_; ++c) dx[c] -= share * centred[c];
    }
  }

  /// From the gradient of the inputs to those of gain, bias and embeddings.
  void finish_norm(HostGradient<Real>& gradient) {
    const NormShape& norm = shape_.norm;
    const Real* const gain = parameters_.tensor(norm.gain);
    Real* const dgain = norm.gain < 0 ? nullptr : gradient.tensor(norm.gain).data;
    for (Index row = 0; row < n_tokens_ + n_positions_; ++row) {
      Real* const dinput = dinputs_.data() + row * input_stride();
      const Real* const centred = centred_.data() + row * input_stride();
      for (Index c = 0; dgain != nullptr && c < d_; ++c) {
        dgain[c] += dinput[c] * centred[c];
        dinput[c] *= gain[c];
      }
      const Real mean = norm.subtract_mean ? mean_of(dinput) : Real{0};
      const bool is_token = row < n_tokens_;
      Real* const dx = gradient.tensor(is_token ? shape_.embedding : shape_.position_embedding)
                           .from(is_token ? row : row - n_tokens_)
                           .data;
      for (Index c = 0; c < d_; ++c) dx[c] += dinput[c] - mean;
    }
    if (norm.bias >= 0)
      kernels_.add(gradient.tensor(norm.bias).data, dinputs_.data() + (n_tokens_ + n_positions_) * input_stride(), d_);
  }

  const EmbeddedLinearShape shape_;
  const LinearShape linear_;
  const PaddedLayout& layout_;
  const KernelTable<Real>& kernels_;
  const PackedParameters<Real>& parameters_;
  const Index n_tokens_, n_positions_, n_rows_, d_, outputs_;
  AlignedBuffer<Real> centred_, inputs_, table_, constant_;
  AlignedBuffer<Real> sums_, dinputs_;
  std::vector<Real> scales_;  // (tokens), where there are no positions
  std::vector<const Real*> kept_;
  std::vector<double> totals_;  // of the gradients' sums
};

}  // namespace

template <class Real>
std::unique_ptr<EmbeddingTables<Real>> make_cpu_embedding_tables(const EmbeddedLinearShape& shape,
                                                                 const ModelShape& model, const PaddedLayout& layout,
                                                                 const KernelTable<Real>& kernels,
                                                                 const PackedParameters<Real>& parameters) {
  return std::make_unique<CpuEmbeddingTables<Real>>(shape, model.linears[static_cast<size_t>(shape.linear)], layout,
                                                    kernels, parameters);
}

template std::unique_ptr<EmbeddingTables<float>> make_cpu_embedding_tables(const EmbeddedLinearShape&,
                                                                           const ModelShape&, const PaddedLayout&,
                                                                           const KernelTable<float>&,
                                                                           const PackedParameters<float>&);
template std::unique_ptr<EmbeddingTables<double>> make_cpu_embedding_tables(const EmbeddedLinearShape&,
                                                                            const ModelShape&, const PaddedLayout&,
                                                                            const KernelTable<double>&,
                                                                            const PackedParameters<double>&);

}  // namespace agpt
