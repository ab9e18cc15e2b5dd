// The gradient of all parameters on the device, in the flat layout of the parameters.
#pragma once

#include <vector>

#include "cuda/device_model.h"

namespace agpt::cuda {

template <class Real>
class DeviceGradient final : public Gradient<Real> {
 public:
  explicit DeviceGradient(DeviceModel<Real>& model)
      : model_(model), values_(model.memory(), "a gradient", model.size()) {
    clear();
  }

  void clear() override { model_.zero(values_.get(), values_.bytes()); }

  void add_to(std::span<double> sum, int first_tensor, int end_tensor, double scale) const override {
    if (first_tensor == end_tensor) return;
    const TensorShape &first = model_.tensor(first_tensor), &last = model_.tensor(end_tensor - 1);
    std::vector<Real> values(static_cast<size_t>(last.offset + last.size() - first.offset));
    model_.read(values_.get() + first.offset, values.data(), static_cast<Index>(values.size()));
    for (size_t i = 0; i < values.size(); ++i) sum[static_cast<size_t>(first.offset) + i] += scale * values[i];
  }

  /// The gradient of tensor `number` on the device.
  Real* tensor(int number) { return values_.get() + model_.tensor(number).offset; }
  const Real* flat() const { return values_.get(); }

 private:
  DeviceModel<Real>& model_;
  DeviceBuffer<Real> values_;
};

}  // namespace agpt::cuda
