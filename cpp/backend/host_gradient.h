// A gradient in host memory: every tensor with padded rows, so that kernels can store whole vectors.
#pragma once

#include <algorithm>
#include <utility>
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
  Index rows(int tensor) const { return tensors[static_cast<size_t>(tensor)].rows; }
  Index stride(int tensor) const { return padded_width(tensors[static_cast<size_t>(tensor)].columns); }

  std::vector<TensorShape> tensors;
  std::vector<Index> offset;
  Index size = 0;
};

template <class Real>
class HostGradient final : public Gradient<Real> {
 public:
  explicit HostGradient(const PaddedLayout& layout)
      : layout_(layout),
        is_zero_(layout.tensors.size(), false),
        values_(static_cast<size_t>(layout.size), "a gradient buffer") {}

  /// Tensors are zeroed when they are first added to, and not at all where the first gradient overwrites them.
  void clear() override {
    std::fill(is_zero_.begin(), is_zero_.end(), true);
    has_table_ = false;
  }

  void add_to(std::span<double> sum, int first_tensor, int end_tensor, double scale) const override {
    for (int t = first_tensor; t < end_tensor; ++t) {
      const TensorShape& tensor = layout_.tensors[static_cast<size_t>(t)];
      const Real* from = numbers(t);
      if (from == nullptr) continue;
      for (Index r = 0; r < tensor.rows; ++r)
        for (Index c = 0; c < tensor.columns; ++c)
          sum[static_cast<size_t>(tensor.offset + r * tensor.columns + c)] +=
              scale * static_cast<double>(from[r * layout_.stride(t) + c]);
    }
  }
  /// To read: the tensor's rows, or null where it is zero.
  const Real* numbers(int number) const {
    return is_zero_[static_cast<size_t>(number)] ? nullptr
                                                 : values_.data() + layout_.offset[static_cast<size_t>(number)];
  }

  /// To add to.
  Rows<Real> tensor(int number) {
    const Rows<Real> rows = whole_tensor(number);
    if (std::exchange(is_zero_[static_cast<size_t>(number)], false))
      std::fill(rows.data, rows.from(layout_.rows(number)).data, Real{0});
    return rows;
  }
  /// To add to, or to overwrite if it is zero: what it holds then is nobody's.
  struct Target {
    Rows<Real> rows;
    bool is_zero;
  };
  Target target(int number) {
    const bool is_zero = std::exchange(is_zero_[static_cast<size_t>(number)], false) != 0;
    return {whole_tensor(number), is_zero};
  }

  /// Sums by row of tables (cpp/backend/embedding_tables.h), of `size` numbers, which whoever made them adds to the
  /// tensors; zeros when they are first asked for after clear().
  Real* table(Index size) {
    table_.grow(static_cast<size_t>(size), "the gradient of a table");
    if (!std::exchange(has_table_, true)) std::fill_n(table_.data(), size, Real{0});
    return table_.data();
  }
  /// The same, or null where nobody has asked for them.
  const Real* table() const { return has_table_ ? table_.data() : nullptr; }

 private:
  Rows<Real> whole_tensor(int number) {
    return {values_.data() + layout_.offset[static_cast<size_t>(number)], layout_.stride(number)};
  }

  const PaddedLayout& layout_;
  std::vector<char> is_zero_;  // by tensor
  AlignedBuffer<Real> values_;
  AlignedBuffer<Real> table_;
  bool has_table_ = false;
};

}  // namespace agpt
