#include "cpp/backend/host_training_state.h"

#include <algorithm>
#include <cmath>

#include "cpp/backend/host_gradient.h"

namespace agpt {
namespace {

template <class Real>
class HostTrainingState final : public TrainingState<Real> {
 public:
  HostTrainingState(Backend<Real>& backend, std::span<const TensorShape> tensors, const TrainingArrays<Real>& arrays,
                    const OptimizerLoops<Real>& loops)
      : backend_(backend), tensors_(tensors), arrays_(arrays), loops_(loops) {}

  bool is_in_place() const override { return true; }
  void send_parameters() override { backend_.set_parameters(arrays_.parameters); }
  void send_moments() override {}
  void fetch_parameters() override {}
  void fetch_moments() override {}
  void fetch_gradient() override {}

  void clear_gradient() override { std::fill(arrays_.gradient.begin(), arrays_.gradient.end(), 0.0); }
  void add(const Gradient<Real>& addend, int first_tensor, int end_tensor, double scale) override {
    addend.add_to(arrays_.gradient, first_tensor, end_tensor, scale);
  }
  void add(std::span<const Gradient<Real>* const> addends, int first_tensor, int end_tensor, double scale) override {
    add_gradients<Real>(addends, arrays_.gradient, first_tensor, end_tensor, scale);
  }

  UpdateResult update(const OptimizerConfig& config, const UpdateStep& step, double loss,
                      Stream<Real>* running) override {
    if (running != nullptr) loss += running->take_loss();
    const double squares = loops_.scale_and_square(arrays_.gradient.data(), static_cast<Index>(arrays_.gradient.size()),
                                                   1 / step.normaliser);
    const UpdateResult result = {loss / step.weight, std::sqrt(squares)};
    if (!std::isfinite(result.loss) || !std::isfinite(result.gradient_norm)) return result;
    optimizer_step<Real>(config, tensors_, step.number, step.learning_rate, config.clip_factor(result.gradient_norm),
                         arrays_.gradient, arrays_.parameters, arrays_.moments, loops_);
    return result;
  }

 private:
  Backend<Real>& backend_;
  const std::span<const TensorShape> tensors_;
  const TrainingArrays<Real> arrays_;
  const OptimizerLoops<Real> loops_;
};

}  // namespace

template <class Real>
std::unique_ptr<TrainingState<Real>> make_host_training_state(Backend<Real>& backend,
                                                              std::span<const TensorShape> tensors,
                                                              const TrainingArrays<Real>& arrays,
                                                              const OptimizerLoops<Real>& loops) {
  return std::make_unique<HostTrainingState<Real>>(backend, tensors, arrays, loops);
}

template std::unique_ptr<TrainingState<float>> make_host_training_state<float>(Backend<float>&,
                                                                               std::span<const TensorShape>,
                                                                               const TrainingArrays<float>&,
                                                                               const OptimizerLoops<float>&);
template std::unique_ptr<TrainingState<double>> make_host_training_state<double>(Backend<double>&,
                                                                                 std::span<const TensorShape>,
                                                                                 const TrainingArrays<double>&,
                                                                                 const OptimizerLoops<double>&);

}  // namespace agpt
