// The operations of backend.h on the device: each looks up its parameters and launches its kernels.
#pragma once

#include <memory>
#include <vector>

#include "cuda/batch_upload.h"
#include "cuda/deferred_work.h"
#include "cuda/device_gradient.h"
#include "cuda/kernels/norm.h"
#include "cuda/runtime/matrix_product.h"

namespace agpt::cuda {

template <class Real>
class DeviceStream final : public Stream<Real> {
 public:
  explicit DeviceStream(DeviceModel<Real>& model);

  /// Device memory that a stream takes whatever the size of its batches.
  static Index fixed_bytes(const DeviceModel<Real>& model);

  Rows<Real> scratch(int slot, Index rows, Index columns) override;
  void expect(const BatchView* batch) override {
    upload_.forget_sent();
    if (batch != nullptr) upload_.send(*batch, true);
  }
  void begin(const BatchView& batch, Gradient<Real>* gradient) override;

  void embed(int table, int position_table, Index begin, Index end, Rows<Real> out) override;
  void embed_backward(int table, int position_table, Index begin, Index end, Rows<Real> dout) override;

  void norm(const NormShape& shape, Index columns, Index begin, Index end, Rows<Real> x, Rows<Real> y,
            Rows<Real> statistics) override;
  void norm_backward(const NormShape& shape, Index columns, Index begin, Index end, Rows<Real> x, Rows<Real> statistics,
                     Rows<Real> dy, Rows<Real> dx, bool accumulate) override;

  void linear(int layer, Index begin, Index end, Rows<Real> x, Rows<Real> y, Rows<Real> residual) override;
  void linear_activate(int layer, ElementwiseActivation kind, Index begin, Index end, Rows<Real> x, Rows<Real> before,
                       Rows<Real> out) override;
  void linear_backward_input(int layer, Index begin, Index end, Rows<Real> dy, Rows<Real> dx) override;
  void linear_backward_activate(int layer, ElementwiseActivation kind, Index begin, Index end, Rows<Real> dy,
                                Rows<Real> before, Rows<Real> dbefore) override;
  void linear_backward_weight(int layer, Index begin, Index end, Rows<Real> x, Rows<Real> dy) override;

  void rotate(Index begin, Index end, Rows<Real> qkv, bool inverse) override;

  void attend(Index first_tile, Index end_tile, Rows<Real> qkv, Rows<Real> out, Real* saved) override;
  void attend_backward(Index first_tile, Index end_tile, Rows<Real> qkv, Rows<Real> dout, const Real* saved,
                       Rows<Real> dqkv) override;
  Index saved_attention_size(Index first_tile, Index end_tile) const override;

  void cross_entropy(Index columns, Index begin, Index end, Rows<Real> logits, bool gradient) override;
  double take_loss() override;
  void row_losses(Index columns, Index begin, Index end, Rows<Real> logits, std::span<double> losses) override;
  void read_rows(Index columns, Index begin, Index end, Rows<Real> m, std::span<Real> values) override;
  void clear(Index columns, Index begin, Index end, Rows<Real> m) override;

  /// The running loss on the device.
  double* loss() { return loss_.get(); }

 private:
  struct Slot {
    DeviceBuffer<Real> buffer;
    Index stride = 0, rows = 0;
  };

  /// Where operations go, behind what was put off. A step, which has a gradient, may repeat; what is computed forward only
  /// is launched at once.
  Queue queue() {
    const Queue queue = gradient_ != nullptr ? model_.step_queue() : model_.queue();
    deferred_.launch(queue);
    return queue;
  }
  const DeviceBatch& batch() const { return upload_.batch(); }
  DeviceNorm<Real> norm_on_device(const NormShape& shape) const;
  DeviceTiles tiles_on_device(Index first_tile, Index end_tile) const;
  /// The row behind the tiles before end_tile.
  Index end_row(Index end_tile) const;
  /// The weight (inputs, outputs) of a layer as a factor.
  Factor<Real> weight(int layer) const;
  Index inputs(int layer) const;
  Index outputs(int layer) const;
  /// Gradients of bias `tensor`, and of a layer's weight.
  void bias_gradient(int tensor, Index columns, Index n_rows, Rows<Real> dy);
  void weight_gradient(int layer, Index n_rows, Rows<Real> x, Rows<Real> dy);
  /// Room for `size` numbers that an operation leaves to the next.
  Real* partial(Index size);

  DeviceModel<Real>& model_;
  BatchUpload upload_;
  MatrixProducts products_;
  std::vector<Slot> slots_;
  DeviceBuffer<Real> partial_, path_gradient_;
  DeviceBuffer<double> partial_losses_, loss_;
  BatchView host_batch_;
  DeviceGradient<Real>* gradient_ = nullptr;
  DeferredWork<Real> deferred_;
};

}  // namespace agpt::cuda
