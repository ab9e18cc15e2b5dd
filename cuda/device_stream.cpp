#include "cuda/device_stream.h"

#include <algorithm>
#include <utility>

#include "cuda/kernels/column_sums.h"
#include "cuda/kernels/elementwise.h"
#include "cuda/kernels/embed.h"

namespace agpt::cuda {
namespace {

// A weight gradient is a product whose inner size is the number of rows: cut into parts of this many rows or more, it
// keeps the whole device busy, and its sum has a fixed order.
constexpr Index kRowsPerProduct = 1024, kMostProducts = 128;

}  // namespace

template <class Real>
DeviceStream<Real>::DeviceStream(DeviceModel<Real>& model)
    : model_(model),
      upload_(model.memory(), model.uploaded_bytes(), model.options().deterministic),
      products_(model.memory(), model.options().precision, model.queue().stream),
      partial_(model.memory(), "partial sums"),
      path_gradient_(model.memory(), "the gradients of keys"),
      partial_losses_(model.memory(), "the losses of rows"),
      loss_(model.memory(), "the running loss", 1) {
  model_.zero(loss_.get(), loss_.bytes());
}

template <class Real>
Index DeviceStream<Real>::fixed_bytes(const DeviceModel<Real>& model) {
  Index largest = 0;
  for (const TensorShape& tensor : model.shape().tensors) largest = std::max(largest, tensor.size());
  return MatrixProducts::kWorkspaceBytes + (kMostProducts + 1) * largest * static_cast<Index>(sizeof(Real));
}

template <class Real>
Rows<Real> DeviceStream<Real>::scratch(int slot, Index rows, Index columns) {
  while (slots_.size() <= static_cast<size_t>(slot))
    slots_.push_back({{model_.memory(), "the activations of a batch"}});
  const Index stride = padded_width(columns);
  Slot& held = slots_[static_cast<size_t>(slot)];
  if (held.stride != stride || held.rows < rows) {
    queue();  // what was put off may use what is replaced
    held.buffer.reserve(rows * stride);
    model_.zero(held.buffer.get(), rows * stride * static_cast<Index>(sizeof(Real)));
    held.stride = stride;
    held.rows = rows;
  }
  return {held.buffer.get(), stride};
}

template <class Real>
void DeviceStream<Real>::begin(const BatchView& batch, Gradient<Real>* gradient) {
  queue();  // what was put off belongs to the batch before
  upload_.begin(batch, gradient != nullptr, model_.queue().stream);
  host_batch_ = batch;
  gradient_ = static_cast<DeviceGradient<Real>*>(gradient);
}

template <class Real>
Real* DeviceStream<Real>::partial(Index size) {
  partial_.reserve(size);
  return partial_.get();
}

// ---- embedding and norms ----

template <class Real>
void DeviceStream<Real>::embed(int table, int position_table, Index begin, Index end, Rows<Real> out) {
  cuda::embed(queue(), model_.parameters(table), model_.parameters(position_table), model_.tensor(table).columns,
              end - begin, batch().token + begin, batch().position + begin, out.from(begin));
}

template <class Real>
void DeviceStream<Real>::embed_backward(int table, int position_table, Index begin, Index end, Rows<Real> dout) {
  const Index columns = model_.tensor(table).columns;
  const auto add = [&](int tensor, const SegmentsView& segments) {
    segmented_sum<Real>(queue(), segments, columns, begin, end, dout, partial(segments.n_pieces * columns),
                        {gradient_->tensor(tensor), columns});
  };
  add(table, batch().by_token);
  if (position_table >= 0) add(position_table, batch().by_position);
}

template <class Real>
DeviceNorm<Real> DeviceStream<Real>::norm_on_device(const NormShape& shape) const {
  return {shape.subtract_mean, model_.parameters(shape.gain), model_.parameters(shape.bias), shape.epsilon};
}

template <class Real>
void DeviceStream<Real>::norm(const NormShape& shape, Index columns, Index begin, Index end, Rows<Real> x, Rows<Real> y,
                              Rows<Real> statistics) {
  cuda::norm(queue(), norm_on_device(shape), columns, end - begin, x.from(begin), y.from(begin),
             statistics.from(begin));
}

template <class Real>
void DeviceStream<Real>::norm_backward(const NormShape& shape, Index columns, Index begin, Index end, Rows<Real> x,
                                       Rows<Real> statistics, Rows<Real> dy, Rows<Real> dx, bool accumulate) {
  const Index n_rows = end - begin, parts = norm_backward_parts(n_rows), size = parts * columns;
  Real* const gain = shape.gain >= 0 ? partial(2 * size) : nullptr;
  Real* const bias = shape.bias >= 0 ? partial(2 * size) + size : nullptr;
  cuda::norm_backward(queue(), norm_on_device(shape), columns, n_rows, x.from(begin), statistics.from(begin),
                      dy.from(begin), dx.from(begin), accumulate, gain, bias);
  if (gain != nullptr) add_parts<Real>(queue(), columns, parts, gain, gradient_->tensor(shape.gain));
  if (bias != nullptr) add_parts<Real>(queue(), columns, parts, bias, gradient_->tensor(shape.bias));
}

// ---- linear layers ----

template <class Real>
Index DeviceStream<Real>::inputs(int layer) const {
  const LinearShape& shape = model_.linear(layer);
  return shape.transposed ? model_.tensor(shape.weight).columns : model_.tensor(shape.weight).rows;
}

template <class Real>
Index DeviceStream<Real>::outputs(int layer) const {
  const LinearShape& shape = model_.linear(layer);
  return shape.transposed ? model_.tensor(shape.weight).rows : model_.tensor(shape.weight).columns;
}

template <class Real>
Factor<Real> DeviceStream<Real>::weight(int layer) const {
  const LinearShape& shape = model_.linear(layer);
  return {model_.parameters(shape.weight), model_.tensor(shape.weight).columns, shape.transposed};
}

template <class Real>
void DeviceStream<Real>::linear(int layer, Index begin, Index end, Rows<Real> x, Rows<Real> y, Rows<Real> residual) {
  const Index n_rows = end - begin;
  const Real* const bias = model_.parameters(model_.linear(layer).bias);
  const bool adds = residual.data != nullptr;
  if (adds && (bias != nullptr || residual.data != y.data))
    bias_and_residual(queue(), outputs(layer), n_rows, bias, residual.from(begin), y.from(begin));
  products_.multiply<Real>(queue(), {n_rows,
                                     outputs(layer),
                                     inputs(layer),
                                     {x.from(begin).data, x.stride},
                                     weight(layer),
                                     y.from(begin).data,
                                     y.stride,
                                     adds});
  if (!adds && bias != nullptr) deferred_.put_off(DeferredBias<Real>{bias, outputs(layer), n_rows, y.from(begin)});
}

template <class Real>
void DeviceStream<Real>::linear_backward_input(int layer, Index begin, Index end, Rows<Real> dy, Rows<Real> dx) {
  Factor<Real> back = weight(layer);
  back.transposed = !back.transposed;
  products_.multiply<Real>(queue(), {end - begin,
                                     inputs(layer),
                                     outputs(layer),
                                     {dy.from(begin).data, dy.stride},
                                     back,
                                     dx.from(begin).data,
                                     dx.stride});
}

template <class Real>
void DeviceStream<Real>::linear_activate(int layer, ElementwiseActivation kind, Index begin, Index end, Rows<Real> x,
                                         Rows<Real> before, Rows<Real> out) {
  linear(layer, begin, end, x, before, {});
  const Index n_rows = end - begin;
  const auto deferred = deferred_.take_bias(before.from(begin), n_rows);
  const Real* const bias = deferred ? deferred->bias : nullptr;
  activate(queue(), kind, outputs(layer), n_rows, bias, before.from(begin), out.from(begin));
}

template <class Real>
void DeviceStream<Real>::linear_backward_activate(int layer, ElementwiseActivation kind, Index begin, Index end,
                                                  Rows<Real> dy, Rows<Real> before, Rows<Real> dbefore) {
  linear_backward_input(layer, begin, end, dy, dbefore);
  queue();
  deferred_.put_off(DeferredSlope<Real>{kind, inputs(layer), end - begin, before.from(begin), dbefore.from(begin)});
}

template <class Real>
void DeviceStream<Real>::linear_backward_weight(int layer, Index begin, Index end, Rows<Real> x, Rows<Real> dy) {
  const LinearShape& shape = model_.linear(layer);
  const Index n_rows = end - begin;
  if (n_rows == 0) return;
  if (shape.bias >= 0) bias_gradient(shape.bias, outputs(layer), n_rows, dy.from(begin));
  weight_gradient(layer, n_rows, x.from(begin), dy.from(begin));
}

template <class Real>
void DeviceStream<Real>::bias_gradient(int tensor, Index columns, Index n_rows, Rows<Real> dy) {
  Real* const parts = partial(column_sum_parts(n_rows) * columns);
  if (const auto slope = deferred_.take_slope(dy, n_rows))
    return activate_backward_and_sum(queue(), slope->kind, columns, n_rows, slope->x, dy, parts,
                                     gradient_->tensor(tensor));
  column_sums(queue(), columns, n_rows, dy, parts, gradient_->tensor(tensor));
}

template <class Real>
void DeviceStream<Real>::weight_gradient(int layer, Index n_rows, Rows<Real> x, Rows<Real> dy) {
  const LinearShape& shape = model_.linear(layer);
  const TensorShape& tensor = model_.tensor(shape.weight);
  // The tensor is left' right, summed over the rows of both.
  const Rows<Real>&left = shape.transposed ? dy : x, &right = shape.transposed ? x : dy;
  const Index per_product = std::max(kRowsPerProduct, ceil_divide(n_rows, kMostProducts));
  const Index whole = n_rows / per_product, rest = n_rows - whole * per_product, parts = whole + (rest > 0 ? 1 : 0);
  Real* const sums = partial(parts * tensor.size());
  Product<Real> product{
      tensor.rows, tensor.columns, per_product, {left.data, left.stride, true}, {right.data, right.stride},
      sums,        tensor.columns};
  product.count = whole;
  product.a_step = per_product * left.stride;
  product.b_step = per_product * right.stride;
  product.c_step = tensor.size();
  products_.multiply(queue(), product);
  if (rest > 0)
    products_.multiply<Real>(queue(), {tensor.rows,
                                       tensor.columns,
                                       rest,
                                       {left.from(whole * per_product).data, left.stride, true},
                                       {right.from(whole * per_product).data, right.stride},
                                       sums + whole * tensor.size(),
                                       tensor.columns});
  add_parts(queue(), tensor.size(), parts, sums, gradient_->tensor(shape.weight));
}

// ---- elementwise ----

template <class Real>
void DeviceStream<Real>::rotate(Index begin, Index end, Rows<Real> qkv, bool inverse) {
  cuda::rotate(queue(), model_.rotations(), end - begin, batch().position + begin, qkv.from(begin), inverse);
}

template <class Real>
void DeviceStream<Real>::clear(Index columns, Index begin, Index end, Rows<Real> m) {
  clear_rows(queue(), columns, end - begin, m.from(begin));
}

// ---- attention ----

template <class Real>
DeviceTiles DeviceStream<Real>::tiles_on_device(Index first_tile, Index end_tile) const {
  DeviceTiles tiles = batch().tiles;
  tiles.first_tile = first_tile;
  tiles.n_tiles = end_tile - first_tile;
  if (tiles.n_tiles > 0) tiles.first_row = host_batch_.tiles[static_cast<size_t>(first_tile)].first_row;
  return tiles;
}

template <class Real>
Index DeviceStream<Real>::saved_attention_size(Index first_tile, Index end_tile) const {
  if (first_tile == end_tile) return 0;
  return (end_row(end_tile) - tiles_on_device(first_tile, end_tile).first_row) *
         static_cast<Index>(model_.shape().heads.size());
}

template <class Real>
Index DeviceStream<Real>::end_row(Index end_tile) const {
  if (end_tile == 0) return 0;
  const Tile& last = host_batch_.tiles[static_cast<size_t>(end_tile) - 1];
  return last.first_row + last.n_rows;
}

template <class Real>
void DeviceStream<Real>::attend(Index first_tile, Index end_tile, Rows<Real> qkv, Rows<Real> out, Real* saved) {
  cuda::attend(queue(), model_.heads(), tiles_on_device(first_tile, end_tile), qkv, out, saved);
}

template <class Real>
void DeviceStream<Real>::attend_backward(Index first_tile, Index end_tile, Rows<Real> qkv, Rows<Real> dout,
                                         const Real* saved, Rows<Real> dqkv) {
  const DeviceTiles tiles = tiles_on_device(first_tile, end_tile);
  if (!model_.options().deterministic) {
    if (tiles.n_tiles > 0) clear(3 * model_.model_width(), tiles.first_row, end_row(end_tile), dqkv);
    return cuda::attend_backward<Real>(queue(), model_.heads(), tiles, qkv, dout, saved, dqkv, {});
  }
  const Index columns = 2 * model_.model_width();
  const SegmentsView& segments = batch().by_path_key;
  const std::vector<int32_t>& path_begin = upload_.path_begin();
  path_gradient_.reserve(path_begin.back() * columns);
  cuda::attend_backward(queue(), model_.heads(), tiles, qkv, dout, saved, dqkv, {false, path_gradient_.get()});
  segmented_sum<Real>(queue(), segments, columns, path_begin[static_cast<size_t>(first_tile)],
                      path_begin[static_cast<size_t>(end_tile)], {path_gradient_.get(), columns},
                      partial(segments.n_pieces * columns), {dqkv.data + model_.model_width(), dqkv.stride});
}

// ---- loss ----

template <class Real>
void DeviceStream<Real>::cross_entropy(Index columns, Index begin, Index end, Rows<Real> logits, bool gradient) {
  partial_losses_.reserve(loss_parts(end - begin));
  cuda::cross_entropy(queue(), batch().targets, columns, begin, end, logits, gradient, partial_losses_.get(),
                      loss_.get());
}

template <class Real>
double DeviceStream<Real>::take_loss() {
  double loss = 0;
  model_.read(loss_.get(), &loss, 1);
  model_.zero(loss_.get(), loss_.bytes());
  return loss;
}

template <class Real>
void DeviceStream<Real>::row_losses(Index columns, Index begin, Index end, Rows<Real> logits,
                                    std::span<double> losses) {
  partial_losses_.reserve(end - begin);
  cuda::row_losses(queue(), batch().targets, columns, begin, end, logits, partial_losses_.get());
  model_.read(partial_losses_.get(), losses.data(), end - begin);
}

template <class Real>
void DeviceStream<Real>::read_rows(Index columns, Index begin, Index end, Rows<Real> m, std::span<Real> values) {
  if (begin == end) return;
  queue();  // what was put off may be what is read
  AGPT_CUDA_CHECK(cudaMemcpy2DAsync(values.data(), static_cast<size_t>(columns) * sizeof(Real), m.from(begin).data,
                                    static_cast<size_t>(m.stride) * sizeof(Real),
                                    static_cast<size_t>(columns) * sizeof(Real), static_cast<size_t>(end - begin),
                                    cudaMemcpyDeviceToHost, model_.queue().stream));
  model_.wait();
}

template class DeviceStream<float>;
template class DeviceStream<double>;

}  // namespace agpt::cuda
