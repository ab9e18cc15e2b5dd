// The parameters as the kernels read them: all tensors with padded rows, and matrices of linear layers in panels, in both
// orientations.
#pragma once

#include <algorithm>
#include <cstring>
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
      : shape_(shape), layout_(layout), kernels_(kernels), padded_(static_cast<size_t>(layout.size), "the parameters") {
    for (const LinearShape& linear : shape.linears) add_linear(linear);
  }

  /// flat: all parameters. The threads of the backend share the work.
  void set(std::span<const Real> flat, const HostBackend<Real>& backend) {
    const size_t n_copies = shape_.tensors.size();
    backend.share(static_cast<Index>(n_copies + panel_runs_.size()), static_cast<Index>(flat.size()), [&](Index part) {
      const auto number = static_cast<size_t>(part);
      if (number < n_copies)
        copy(number, flat);
      else
        pack(panel_runs_[number - n_copies], flat);
    });
  }

  const PackedLinear<Real>& linear(int layer) const { return linears_[static_cast<size_t>(layer)]; }
  /// The tensor with padded rows, or null for an absent one.
  const Real* tensor(int number) const {
    return number < 0 ? nullptr : padded_.data() + layout_.offset[static_cast<size_t>(number)];
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

  const ModelShape& shape_;
  const PaddedLayout& layout_;
  const KernelTable<Real>& kernels_;
  AlignedBuffer<Real> padded_;
  std::vector<PackedLinear<Real>> linears_;
  std::vector<PanelRun> panel_runs_;  // all packed matrices, cut for threads to share
};

}  // namespace agpt
