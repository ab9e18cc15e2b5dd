// The parameters as the kernels read them: matrices of linear layers in panels, in both orientations, all other tensors
// with padded rows.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstring>
#include <mutex>
#include <span>
#include <utility>
#include <vector>

#include "cpp/backend/cpu/kernel_table.h"
#include "cpp/backend/host_backend.h"
#include "cpp/backend/host_gradient.h"

namespace agpt {

/// One linear layer, ready for the matrix kernels.
template <class Real>
struct PackedLinear {
  Index inputs = 0, outputs = 0;
  AlignedBuffer<Real> forward;   // (inputs, outputs) in panels
  AlignedBuffer<Real> backward;  // (outputs, inputs) in panels
};

template <class Real>
class PackedParameters {
 public:
  PackedParameters(const ModelShape& shape, const PaddedLayout& layout, const KernelTable<Real>& kernels)
      : shape_(shape),
        layout_(layout),
        kernels_(kernels),
        padded_(static_cast<size_t>(layout.size), "the parameters"),
        is_unpacked_(shape.linears.size()) {
    std::vector<char> is_packed(shape.tensors.size(), false);
    for (const LinearShape& linear : shape.linears) {
      add_linear(linear);
      if (!linear.transposed)
        is_packed[static_cast<size_t>(linear.weight)] = true;  // otherwise it is an embedding, too
    }
    for (size_t number = 0; number < is_packed.size(); ++number)
      if (!is_packed[number]) copied_.push_back(number);
  }

  /// flat: all parameters. The threads of the backend share the work.
  void set(std::span<const Real> flat, const HostBackend<Real>& backend) {
    for (std::atomic<bool>& is_unpacked : is_unpacked_) is_unpacked = false;
    const size_t n_copies = copied_.size();
    backend.share(static_cast<Index>(n_copies + panel_runs_.size()), static_cast<Index>(flat.size()), [&](Index part) {
      const auto number = static_cast<size_t>(part);
      if (number < n_copies)
        copy(copied_[number], flat);
      else
        pack(panel_runs_[number - n_copies], flat);
    });
  }

  const PackedLinear<Real>& linear(int layer) const { return linears_[static_cast<size_t>(layer)]; }
  /// The tensor with padded rows, or null for an absent one. Weights of linear layers are in linear() instead, but for
  /// those that are transposed embeddings.
  const Real* tensor(int number) const {
    return number < 0 ? nullptr : padded_.data() + layout_.offset[static_cast<size_t>(number)];
  }
  /// The weights of a layer with padded rows, written when they are first asked for: training never does.
  const Real* rows_of_linear(int layer) const {
    const auto number = static_cast<size_t>(layer);
    if (!is_unpacked_[number].load(std::memory_order_acquire)) {
      const std::lock_guard lock(unpacking_);
      if (!is_unpacked_[number].load(std::memory_order_relaxed)) unpack(number);
      is_unpacked_[number].store(true, std::memory_order_release);
    }
    return tensor(shape_.linears[number].weight);
  }

 private:
  /// Whole panels of one of a layer's packed matrices: columns [begin, end).
  struct PanelRun {
    size_t linear;
    bool is_backward;
    Index begin, end;
  };

  void add_linear(const LinearShape& linear) {
    const TensorShape& tensor = shape_.tensors[static_cast<size_t>(linear.weight)];
    PackedLinear<Real> packed;
    packed.inputs = linear.transposed ? tensor.columns : tensor.rows;
    packed.outputs = linear.transposed ? tensor.rows : tensor.columns;
    packed.forward = make_panels(packed.inputs, packed.outputs);
    packed.backward = make_panels(packed.outputs, packed.inputs);
    add_runs(false, packed.inputs, packed.outputs);
    add_runs(true, packed.outputs, packed.inputs);
    linears_.push_back(std::move(packed));
  }

  AlignedBuffer<Real> make_panels(Index rows, Index columns) const {
    return AlignedBuffer<Real>(static_cast<size_t>(kernels_.packed_size(rows, columns)), "packed weights");
  }

  /// Those of the linear layer that is added next.
  void add_runs(bool is_backward, Index rows, Index columns) {
    constexpr Index kNumbersInRun = 32768;
    const Index panel = kernels_.panel_width, step = std::max<Index>(1, kNumbersInRun / (rows * panel)) * panel;
    for (Index begin = 0; begin < columns; begin += step)
      panel_runs_.push_back({linears_.size(), is_backward, begin, std::min(columns, begin + step)});
  }

  void copy(size_t number, std::span<const Real> flat) {
    const TensorShape& tensor = shape_.tensors[number];
    const Index stride = layout_.stride(static_cast<int>(number));
    const Index n_runs = stride == tensor.columns ? 1 : tensor.rows, run = tensor.size() / n_runs;
    for (Index r = 0; r < n_runs; ++r)
      std::memcpy(padded_.data() + layout_.offset[number] + r * stride, flat.data() + tensor.offset + r * run,
                  static_cast<size_t>(run) * sizeof(Real));
  }

  void pack(const PanelRun& run, std::span<const Real> flat) {
    PackedLinear<Real>& packed = linears_[run.linear];
    const LinearShape& shape = shape_.linears[run.linear];
    const Real* weight = flat.data() + shape_.tensors[static_cast<size_t>(shape.weight)].offset;
    const Index input_step = shape.transposed ? 1 : packed.outputs, output_step = shape.transposed ? packed.inputs : 1;
    const Index rows = run.is_backward ? packed.outputs : packed.inputs,
                row_step = run.is_backward ? output_step : input_step,
                column_step = run.is_backward ? input_step : output_step;
    Real* panels = (run.is_backward ? packed.backward : packed.forward).data();
    kernels_.pack_panels(weight + run.begin * column_step, row_step, column_step, rows, run.end - run.begin,
                         panels + rows * run.begin);
  }

  void unpack(size_t layer) const {
    const PackedLinear<Real>& packed = linears_[layer];
    const LinearShape& shape = shape_.linears[layer];
    if (shape.transposed) return;
    Real* rows = padded_.data() + layout_.offset[static_cast<size_t>(shape.weight)];
    const Index stride = layout_.stride(shape.weight);
    const Real* from = packed.forward.data();
    for (Index first = 0; first < packed.outputs; first += kernels_.panel_width) {
      const Index width = kernels_.packed_size(1, std::min<Index>(kernels_.panel_width, packed.outputs - first));
      for (Index r = 0; r < packed.inputs; ++r, from += width)
        std::memcpy(rows + r * stride + first, from, static_cast<size_t>(width) * sizeof(Real));
    }
  }

  const ModelShape& shape_;
  const PaddedLayout& layout_;
  const KernelTable<Real>& kernels_;
  mutable AlignedBuffer<Real> padded_;
  std::vector<PackedLinear<Real>> linears_;
  std::vector<size_t> copied_;                          // tensors that tensor() has
  mutable std::vector<std::atomic<bool>> is_unpacked_;  // by linear layer
  mutable std::mutex unpacking_;
  std::vector<PanelRun> panel_runs_;  // all packed matrices, cut for threads to share
};

}  // namespace agpt
