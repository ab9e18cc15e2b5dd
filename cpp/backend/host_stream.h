// What the streams of all backends in host memory have in common: scratch memory, the batch at work, the running loss.
#pragma once

#include <algorithm>
#include <utility>

#include "cpp/backend/host_gradient.h"
#include "cpp/backend/scratch.h"

namespace agpt {

template <class Real>
class HostStream : public Stream<Real> {
 public:
  Rows<Real> scratch(int slot, Index rows, Index columns) final { return scratch_.get(slot, rows, columns); }

  void begin(const BatchView& batch, Gradient<Real>* gradient) final {
    batch_ = batch;
    gradient_ = static_cast<HostGradient<Real>*>(gradient);
  }

  void cross_entropy(Index columns, Index begin, Index end, Rows<Real> logits, bool gradient) final {
    loss_ += loss_of_rows(columns, begin, end, logits, gradient);
  }
  double take_loss() final { return std::exchange(loss_, 0.0); }
  void row_losses(Index columns, Index begin, Index end, Rows<Real> logits, std::span<double> losses) final {
    for (Index r = begin; r < end; ++r)
      losses[static_cast<size_t>(r - begin)] = loss_of_rows(columns, r, r + 1, logits, false);
  }

  void read_rows(Index columns, Index begin, Index end, Rows<Real> m, std::span<Real> values) final {
    for (Index r = begin; r < end; ++r)
      std::copy_n(m.from(r).data, columns, values.begin() + static_cast<std::ptrdiff_t>((r - begin) * columns));
  }

 protected:
  /// What cross_entropy adds to the running loss.
  virtual double loss_of_rows(Index columns, Index begin, Index end, Rows<Real> logits, bool gradient) = 0;

  BatchView batch_;
  HostGradient<Real>* gradient_ = nullptr;

 private:
  HostScratch<Real> scratch_;
  double loss_ = 0;
};

}  // namespace agpt
