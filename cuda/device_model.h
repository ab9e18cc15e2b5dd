// One model on the device: its parameters, the tables that its operations read, and the queue that all of its work goes
// through, in order.
#pragma once

#include <atomic>
#include <vector>

#include "cpp/backend/backend.h"
#include "cuda/kernels/attention.h"
#include "cuda/kernels/optimizer.h"
#include "cuda/kernels/rotate.h"
#include "cuda/runtime/memory.h"
#include "cuda/runtime/stream.h"

namespace agpt::cuda {

template <class Real>
class DeviceModel {
 public:
  DeviceModel(const ModelShape& shape, const BackendOptions& options);

  const ModelShape& shape() const { return shape_; }
  const TensorShape& tensor(int number) const { return shape_.tensors[static_cast<size_t>(number)]; }
  const LinearShape& linear(int number) const { return shape_.linears[static_cast<size_t>(number)]; }
  const BackendOptions& options() const { return options_; }
  /// Numbers of the flat parameter buffer.
  Index size() const { return size_; }
  Index model_width() const { return model_width_; }

  /// The device's copy of tensor `number`; null where it is -1.
  const Real* parameters(int number) const { return number < 0 ? nullptr : parameters_.get() + tensor(number).offset; }
  Real* flat() { return parameters_.get(); }
  const FlatPiece* pieces() const { return pieces_.get(); }
  Index n_pieces() const { return pieces_.size(); }

  const Rotations<Real>& rotations() const { return rotations_; }
  HeadsView heads() const { return {model_width_, static_cast<int>(shape_.heads.size()), &head_groups_}; }

  MemoryCount& memory() { return memory_; }
  const MemoryCount& memory() const { return memory_; }
  /// Where work goes at once, behind all that came before.
  Queue queue() {
    graphs_.flush();
    return {stream_.get(), &launches_};
  }
  /// Where the launches of a step gather until anything else is asked of the device; the same as queue() without graphs.
  Queue step_queue() { return options_.graphs ? Queue{stream_.get(), &launches_, &graphs_} : queue(); }
  void wait() {
    graphs_.flush();
    stream_.wait();
  }
  /// to (host) = from (device) of `size` elements, after all work so far. Waits.
  template <class T>
  void read(const T* from, T* to, Index size) {
    if (size == 0) return;
    AGPT_CUDA_CHECK(
        cudaMemcpyAsync(to, from, static_cast<size_t>(size) * sizeof(T), cudaMemcpyDeviceToHost, queue().stream));
    wait();
  }
  /// The other direction. Waits, so `from` may change at once.
  template <class T>
  void write(const T* from, T* to, Index size) {
    if (size == 0) return;
    AGPT_CUDA_CHECK(
        cudaMemcpyAsync(to, from, static_cast<size_t>(size) * sizeof(T), cudaMemcpyHostToDevice, queue().stream));
    uploaded_bytes_ += size * static_cast<Index>(sizeof(T));
    wait();
  }
  /// Sets bytes to zero, in order with all other work.
  void zero(void* memory, Index bytes) {
    if (bytes > 0) AGPT_CUDA_CHECK(cudaMemsetAsync(memory, 0, static_cast<size_t>(bytes), queue().stream));
  }
  std::atomic<Index>& uploaded_bytes() { return uploaded_bytes_; }
  DeviceStatistics statistics() const { return {launches_, replays_, uploaded_bytes_, memory_.peak()}; }

 private:
  void make_pieces();
  void make_rotations();
  void make_heads();

  const ModelShape shape_;
  const BackendOptions options_;
  std::atomic<Index> launches_{0}, replays_{0}, uploaded_bytes_{0};
  MemoryCount memory_;
  StreamHandle stream_;
  LaunchGraphs graphs_;  // outlives the buffers below
  Index size_ = 0, model_width_ = 0;
  DeviceBuffer<Real> parameters_;
  DeviceBuffer<FlatPiece> pieces_;
  DeviceBuffer<int32_t> rotated_columns_;
  DeviceBuffer<Real> cosines_, sines_;
  DeviceBuffer<DeviceHead> heads_;
  Rotations<Real> rotations_;
  std::vector<HeadGroup> head_groups_;
};

}  // namespace agpt::cuda
