#include "cpp/backend/host_training_state.h"

#include <algorithm>
#include <cmath>
#include <utility>
#include <vector>

#include "cpp/backend/host_gradient.h"

namespace agpt {
namespace {

/// The tensors cut into parts that threads can share. The cuts depend on nothing but the tensors, so that sums over parts
/// have the same bits for every number of threads.
std::vector<TensorShape> parts_of(std::span<const TensorShape> tensors) {
  constexpr Index kNumbersInPart = 16384;
  std::vector<TensorShape> parts;
  for (const TensorShape& tensor : tensors)
    for (Index begin = 0; begin < tensor.size(); begin += kNumbersInPart)
      parts.push_back({tensor.offset + begin, 1, std::min(kNumbersInPart, tensor.size() - begin), tensor.is_vector});
  return parts;
}

template <class Real>
class HostTrainingState final : public TrainingState<Real> {
 public:
  HostTrainingState(HostBackend<Real>& backend, std::span<const TensorShape> tensors,
                    const TrainingArrays<Real>& arrays, const OptimizerLoops<Real>& loops)
      : backend_(backend),
        tensors_(tensors.begin(), tensors.end()),
        parts_(parts_of(tensors)),
        arrays_(arrays),
        loops_(loops),
        is_zero_(tensors.size(), false),
        squares_(parts_.size()) {}

  bool is_in_place() const override { return true; }
  void send_parameters() override { backend_.set_parameters(arrays_.parameters); }
  void send_moments() override {}
  void fetch_parameters() override {}
  void fetch_moments() override {}
  void fetch_gradient() override { write_zeros(); }

  /// Nothing is written: the first gradient that is added to a tensor overwrites it.
  void clear_gradient() override { std::fill(is_zero_.begin(), is_zero_.end(), true); }
  void add(const Gradient<Real>& addend, int first_tensor, int end_tensor, double scale) override {
    const Gradient<Real>* const one = &addend;
    add(std::span(&one, 1), first_tensor, end_tensor, scale);
  }
  void add(std::span<const Gradient<Real>* const> addends, int first_tensor, int end_tensor, double scale) override {
    if (addends.empty()) return;
    for (int tensor = first_tensor; tensor < end_tensor; ++tensor)
      add_gradients<Real>(addends, arrays_.gradient, tensor, scale,
                          std::exchange(is_zero_[static_cast<size_t>(tensor)], false) != 0);
  }

  UpdateResult update(const OptimizerConfig& config, const UpdateStep& step, double loss,
                      Stream<Real>* running) override {
    if (running != nullptr) loss += running->take_loss();
    write_zeros();
    const UpdateResult result = {loss / step.weight, std::sqrt(scale_and_square(1 / step.normaliser))};
    if (!std::isfinite(result.loss) || !std::isfinite(result.gradient_norm)) return result;
    share([&](size_t part) {
      optimizer_step<Real>(config, std::span(&parts_[part], 1), step.number, step.learning_rate,
                           config.clip_factor(result.gradient_norm), arrays_.gradient, arrays_.parameters,
                           arrays_.moments, loops_);
    });
    return result;
  }

 private:
  template <class Body>
  void share(Body body) const {
    backend_.share(static_cast<Index>(parts_.size()), static_cast<Index>(arrays_.parameters.size()),
                   [&body](Index part) { body(static_cast<size_t>(part)); });
  }

  /// gradient *= scale; returns the sum of its squares.
  double scale_and_square(double scale) {
    share([&](size_t part) {
      squares_[part] =
          loops_.scale_and_square(arrays_.gradient.data() + parts_[part].offset, parts_[part].size(), scale);
    });
    double sum = 0;
    for (const double squares : squares_) sum += squares;
    return sum;
  }

  /// Of tensors that nothing was added to.
  void write_zeros() {
    for (size_t t = 0; t < tensors_.size(); ++t)
      if (std::exchange(is_zero_[t], false) != 0)
        std::fill_n(arrays_.gradient.data() + tensors_[t].offset, tensors_[t].size(), 0.0);
  }

  HostBackend<Real>& backend_;
  const std::vector<TensorShape> tensors_, parts_;
  const TrainingArrays<Real> arrays_;
  const OptimizerLoops<Real> loops_;
  std::vector<char> is_zero_;    // by tensor: its gradient is 0, whatever the array holds
  std::vector<double> squares_;  // by part
};

}  // namespace

template <class Real>
std::unique_ptr<TrainingState<Real>> make_host_training_state(HostBackend<Real>& backend,
                                                              std::span<const TensorShape> tensors,
                                                              const TrainingArrays<Real>& arrays,
                                                              const OptimizerLoops<Real>& loops) {
  return std::make_unique<HostTrainingState<Real>>(backend, tensors, arrays, loops);
}

template std::unique_ptr<TrainingState<float>> make_host_training_state<float>(HostBackend<float>&,
                                                                               std::span<const TensorShape>,
                                                                               const TrainingArrays<float>&,
                                                                               const OptimizerLoops<float>&);
template std::unique_ptr<TrainingState<double>> make_host_training_state<double>(HostBackend<double>&,
                                                                                 std::span<const TensorShape>,
                                                                                 const TrainingArrays<double>&,
                                                                                 const OptimizerLoops<double>&);

}  // namespace agpt
