#include "cpp/backend/host_training_state.h"

#include <algorithm>
#include <cmath>
#include <utility>
#include <vector>

#include "cpp/backend/host_gradient.h"
#include "cpp/base/denormals.h"

namespace agpt {
namespace {

/// Whole rows of a tensor.
struct Part {
  int tensor;
  Index begin, end;
  TensorShape flat;  // as a row of the flat buffer
};

/// The tensors cut into parts that threads can share. The cuts depend on nothing but the tensors, so that sums over parts
/// have the same bits for every number of threads.
std::vector<Part> parts_of(std::span<const TensorShape> tensors) {
  constexpr Index kNumbersInPart = 16384;
  std::vector<Part> parts;
  for (int number = 0; const TensorShape& tensor : tensors) {
    const Index step = std::max<Index>(1, kNumbersInPart / tensor.columns);
    for (Index begin = 0; begin < tensor.rows; begin += step) {
      const Index end = std::min(tensor.rows, begin + step);
      parts.push_back({number,
                       begin,
                       end,
                       {tensor.offset + begin * tensor.columns, 1, (end - begin) * tensor.columns, tensor.is_vector}});
    }
    ++number;
  }
  return parts;
}

template <class Real>
class HostTrainingState final : public TrainingState<Real> {
 public:
  HostTrainingState(HostBackend<Real>& backend, const PaddedLayout& layout, const TrainingArrays<Real>& arrays,
                    const OptimizerLoops<Real>& loops)
      : backend_(backend),
        layout_(layout),
        parts_(parts_of(layout.tensors)),
        arrays_(arrays),
        loops_(loops),
        is_zero_(layout.tensors.size(), false),
        squares_(parts_.size()) {}

  bool is_in_place() const override { return true; }
  void send_parameters() override { backend_.set_parameters(arrays_.parameters); }
  void send_moments() override {}
  void fetch_parameters() override {}
  void fetch_moments() override {}
  void fetch_gradient() override {
    write_zeros();
    if (const double scale = std::exchange(scale_, 1.0); scale != 1)
      for (double& value : arrays_.gradient) value *= scale;
  }

  /// Nothing is written: the first gradient that is added to a tensor overwrites it.
  void clear_gradient() override {
    std::fill(is_zero_.begin(), is_zero_.end(), true);
    std::fill(squares_.begin(), squares_.end(), 0.0);
    scale_ = 1;
  }
  void add(const Gradient<Real>& addend, int first_tensor, int end_tensor, double scale) override {
    const Gradient<Real>* const one = &addend;
    add(std::span(&one, 1), first_tensor, end_tensor, scale);
  }
  void add(std::span<const Gradient<Real>* const> addends, int first_tensor, int end_tensor, double scale) override {
    if (addends.empty()) return;
    const auto first = std::ranges::lower_bound(parts_, first_tensor, {}, &Part::tensor);
    for (auto part = first; part != parts_.end() && part->tensor < end_tensor; ++part)
      squares_[static_cast<size_t>(part - parts_.begin())] = add_part(addends, *part, scale);
    for (int tensor = first_tensor; tensor < end_tensor; ++tensor) is_zero_[static_cast<size_t>(tensor)] = false;
  }

  UpdateResult update(const OptimizerConfig& config, const UpdateStep& step, double loss,
                      Stream<Real>* running) override {
    if (running != nullptr) loss += running->take_loss();
    write_zeros();
    scale_ = 1 / step.normaliser;
    double squares = 0;
    for (const double of_part : squares_) squares += of_part;
    const UpdateResult result = {loss / step.weight, std::sqrt(squares) * scale_};
    if (!std::isfinite(result.loss) || !std::isfinite(result.gradient_norm)) return result;
    const OptimizerStep<Real> optimizer(config, step.number, step.learning_rate,
                                        scale_ * config.clip_factor(result.gradient_norm), arrays_.gradient,
                                        arrays_.parameters, arrays_.moments, loops_);
    backend_.share(static_cast<Index>(parts_.size()), static_cast<Index>(arrays_.parameters.size()), [&](Index part) {
      const FlushDenormals flush;  // moments of what is seen rarely fade away
      optimizer.update(parts_[static_cast<size_t>(part)].flat);
    });
    return result;
  }

 private:
  /// Adds to the rows of a part; returns the sum of the squares of what its gradient is then.
  double add_part(std::span<const Gradient<Real>* const> addends, const Part& part, double scale) const {
    constexpr size_t kMostAtATime = 32;
    const Real* from[kMostAtATime];
    const Index stride = layout_.stride(part.tensor), n_rows = part.end - part.begin;
    const Index columns = part.flat.size() / n_rows, n_runs = stride == columns ? 1 : n_rows;
    const Index run = part.flat.size() / n_runs;
    double squares = 0;
    for (bool overwrite = is_zero_[static_cast<size_t>(part.tensor)] != 0; !addends.empty(); overwrite = false) {
      int n = 0;
      for (; !addends.empty() && n < static_cast<int>(kMostAtATime); addends = addends.subspan(1))
        if (const Real* rows = static_cast<const HostGradient<Real>&>(*addends.front()).numbers(part.tensor))
          from[n++] = rows + part.begin * stride;
      squares = 0;
      double* sum = arrays_.gradient.data() + part.flat.offset;
      for (Index r = 0; r < n_runs; ++r, sum += run) {
        squares += loops_.add_gradients(sum, from, n, run, scale, overwrite);
        for (int a = 0; a < n; ++a) from[a] += stride;
      }
    }
    return squares;
  }

  /// Of tensors that nothing was added to.
  void write_zeros() {
    for (size_t t = 0; t < layout_.tensors.size(); ++t)
      if (std::exchange(is_zero_[t], false) != 0)
        std::fill_n(arrays_.gradient.data() + layout_.tensors[t].offset, layout_.tensors[t].size(), 0.0);
  }

  HostBackend<Real>& backend_;
  const PaddedLayout& layout_;
  const std::vector<Part> parts_;
  const TrainingArrays<Real> arrays_;
  const OptimizerLoops<Real> loops_;
  std::vector<char> is_zero_;    // by tensor: its gradient is 0, whatever the array holds
  std::vector<double> squares_;  // by part: the sum of those of the array
  double scale_ = 1;             // the gradient is the array times it
};

}  // namespace

template <class Real>
std::unique_ptr<TrainingState<Real>> make_host_training_state(HostBackend<Real>& backend, const PaddedLayout& layout,
                                                              const TrainingArrays<Real>& arrays,
                                                              const OptimizerLoops<Real>& loops) {
  return std::make_unique<HostTrainingState<Real>>(backend, layout, arrays, loops);
}

template std::unique_ptr<TrainingState<float>> make_host_training_state<float>(HostBackend<float>&, const PaddedLayout&,
                                                                               const TrainingArrays<float>&,
                                                                               const OptimizerLoops<float>&);
template std::unique_ptr<TrainingState<double>> make_host_training_state<double>(HostBackend<double>&,
                                                                                 const PaddedLayout&,
                                                                                 const TrainingArrays<double>&,
                                                                                 const OptimizerLoops<double>&);

}  // namespace agpt
