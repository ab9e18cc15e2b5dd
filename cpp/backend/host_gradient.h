// A gradient in host memory: every tensor with padded rows, so that kernels can store whole vectors.
#pragma once

#include <vector>

#include "cpp/backend/backend.h"
#include "cpp/base/memory.h"

namespace agpt {

/// Where each tensor of a model lies when its rows are padded to kRowQuantum.
struct PaddedLayout {
  explicit PaddedLayout(const ModelShape& shape) : tensors(shape.tensors) {
    for (const TensorShape& tensor : tensors) {
      offset.push_back(size);
      size += tensor.rows * padded_width(tensor.columns);
    }
  }
  Index stride(int tensor) const { return padded_width(tensors[static_cast<size_t>(tensor)].columns); }

  std::vector<TensorShape> tensors;
  std::vector<Index> offset;
  Index size = 0;
};

/// sum += scale * x over n numbers.
template <class Real>
void add_scaled(double* sum, const Real* x, Index n, double scale) {
  for (Index i = 0; i < n; ++i) sum[i] += scale * static_cast<double>(x[i]);
}

template <class Real>
class HostGradient final : public Gradient<Real> {
 public:
  using AddScaled = void (*)(double* sum, const Real* x, Index n, double scale);

  explicit HostGradient(const PaddedLayout& layout, AddScaled add = add_scaled<Real>)
      : layout_(layout), add_(add), values_(static_cast<size_t>(layout.size), "a gradient buffer") {}

  void clear() override { std::fill(values_.data(), values_.data() + layout_.size, Real{0}); }

  void add_to(std::span<double> sum, int first_tensor, int end_tensor, double scale) const override {
    for (int t = first_tensor; t < end_tensor; ++t) {
      const TensorShape& tensor = layout_.tensors[static_cast<size_t>(t)];
      const Real* from = values_.data() + layout_.offset[static_cast<size_t>(t)];
      double* to = sum.data() + tensor.offset;
      for (Index r = 0; r < tensor.rows; ++r, from += layout_.stride(t), to += tensor.columns)
        add_(to, from, tensor.columns, scale);
    }
  }

  Rows<Real> tensor(int number) {
    return {values_.data() + layout_.offset[static_cast<size_t>(number)], layout_.stride(number)};
  }

 private:
  const PaddedLayout& layout_;
  const AddScaled add_;
  AlignedBuffer<Real> values_;
};

}  // namespace agpt
