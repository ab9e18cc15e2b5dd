#include "cuda/device_training_state.h"

#include <cmath>

#include "cuda/device_gradient.h"
#include "cuda/device_stream.h"

namespace agpt::cuda {
namespace {

UpdateNumbers numbers_of(const OptimizerConfig& config, const UpdateStep& step) {
  UpdateNumbers numbers;
  numbers.kind = config.kind;
  numbers.learning_rate = step.learning_rate;
  numbers.beta1 = config.beta1;
  numbers.beta2 = config.beta2;
  numbers.epsilon = config.epsilon;
  numbers.matrix_decay = config.weight_decay;
  numbers.vector_decay = config.decay_vectors ? config.weight_decay : 0;
  const auto t = static_cast<double>(step.number);
  if (config.kind == OptimizerKind::adam) numbers.correction1 = 1 / (1 - std::pow(config.beta1, t));
  if (config.kind == OptimizerKind::adam || config.kind == OptimizerKind::rmsprop_corrected)
    numbers.correction2 = 1 / (1 - std::pow(config.beta2, t));
  return numbers;
}

template <class Real>
class DeviceTrainingState final : public TrainingState<Real> {
 public:
  DeviceTrainingState(DeviceModel<Real>& model, const TrainingArrays<Real>& arrays)
      : model_(model),
        arrays_(arrays),
        gradient_(model.memory(), "the gradient of a step", static_cast<Index>(arrays.gradient.size())),
        moments_(model.memory(), "the optimizer's moments", static_cast<Index>(arrays.moments.size())),
        partial_(model.memory(), "the norm of a gradient", norm_parts(model.size())),
        record_(model.memory(), "the record of a step", 1) {
    clear_gradient();
    send_moments();
  }

  bool is_in_place() const override { return false; }
  void send_parameters() override { model_.write(arrays_.parameters.data(), model_.flat(), model_.size()); }
  void send_moments() override { model_.write(arrays_.moments.data(), moments_.get(), moments_.size()); }
  void fetch_parameters() override { model_.read(model_.flat(), arrays_.parameters.data(), model_.size()); }
  void fetch_moments() override { model_.read(moments_.get(), arrays_.moments.data(), moments_.size()); }
  void fetch_gradient() override { model_.read(gradient_.get(), arrays_.gradient.data(), gradient_.size()); }

  void clear_gradient() override { model_.zero(gradient_.get(), gradient_.bytes()); }

  using TrainingState<Real>::add;
  void add(const Gradient<Real>& addend, int first_tensor, int end_tensor, double scale) override {
    if (first_tensor == end_tensor) return;
    const TensorShape &first = model_.tensor(first_tensor), &last = model_.tensor(end_tensor - 1);
    add_scaled(model_.queue(), last.offset + last.size() - first.offset, scale,
               static_cast<const DeviceGradient<Real>&>(addend).flat() + first.offset, gradient_.get() + first.offset);
  }

  UpdateResult update(const OptimizerConfig& config, const UpdateStep& step, double loss,
                      Stream<Real>* running) override {
    double* const running_loss = running == nullptr ? nullptr : static_cast<DeviceStream<Real>*>(running)->loss();
    scale_and_square(model_.queue(), model_.size(), 1 / step.normaliser, gradient_.get(), partial_.get());
    finish_step(model_.queue(), partial_.size(), partial_.get(), loss, step.weight, config.clip_norm, running_loss,
                record_.get());
    const bool has_first = config.kind == OptimizerKind::momentum || config.kind == OptimizerKind::adam;
    update_parameters(model_.queue(), numbers_of(config, step), model_.n_pieces(), model_.pieces(), record_.get(),
                      gradient_.get(), model_.flat(), has_first ? moments_.get() : nullptr,
                      has_first ? moments_.get() + model_.size() : moments_.get());
    StepRecord record;
    model_.read(record_.get(), &record, 1);
    return {record.loss, record.gradient_norm};
  }

 private:
  DeviceModel<Real>& model_;
  const TrainingArrays<Real> arrays_;
  DeviceBuffer<double> gradient_;
  DeviceBuffer<Real> moments_;
  DeviceBuffer<double> partial_;
  DeviceBuffer<StepRecord> record_;
};

}  // namespace

template <class Real>
std::unique_ptr<TrainingState<Real>> make_device_training_state(DeviceModel<Real>& model,
                                                                const TrainingArrays<Real>& arrays) {
  return std::make_unique<DeviceTrainingState<Real>>(model, arrays);
}

template std::unique_ptr<TrainingState<float>> make_device_training_state(DeviceModel<float>&,
                                                                          const TrainingArrays<float>&);
template std::unique_ptr<TrainingState<double>> make_device_training_state(DeviceModel<double>&,
                                                                           const TrainingArrays<double>&);

}  // namespace agpt::cuda
