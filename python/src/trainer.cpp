// Bindings of the trainer of cpp/train and its configuration.
#include "cpp/train/trainer.h"

#include <nanobind/stl/pair.h>
#include <nanobind/stl/shared_ptr.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/tuple.h>
#include <nanobind/stl/vector.h>

#include "cpp/train/evaluation.h"
#include "python/src/bindings.h"
#include "python/src/choices.h"
#include "python/src/interrupt.h"
#include "python/src/text_view.h"

using namespace nb::literals;

namespace {

using agpt::Index;
using agpt::StepSource;
using agpt::TrainerConfig;

const agpt::Choices<agpt::OptimizerKind, 5> kOptimizers = {
    "optimizer",
    {{{"adam", agpt::OptimizerKind::adam},
      {"sgd", agpt::OptimizerKind::sgd},
      {"momentum", agpt::OptimizerKind::momentum},
      {"rmsprop", agpt::OptimizerKind::rmsprop},
      {"rmsprop-corrected", agpt::OptimizerKind::rmsprop_corrected}}}};
const agpt::Choices<agpt::ScheduleKind, 3> kSchedules = {"schedule",
                                                         {{{"constant", agpt::ScheduleKind::constant},
                                                           {"cosine", agpt::ScheduleKind::cosine},
                                                           {"linear", agpt::ScheduleKind::linear}}}};
const agpt::Choices<agpt::Precision, 3> kPrecisions = {
    "precision",
    {{{"float32", agpt::Precision::full}, {"tf32", agpt::Precision::tf32}, {"bf16", agpt::Precision::bf16}}}};
const agpt::Choices<agpt::Normalisation, 2> kNormalisations = {
    "normalise", {{{"step", agpt::Normalisation::step}, {"pass", agpt::Normalisation::pass}}}};

template <class Real>
using Flat = nb::ndarray<Real, nb::ndim<1>, nb::c_contig, nb::device::cpu>;

/// A property that Python reads and writes as the name of an enumerator, at a place inside TrainerConfig.
template <class Class, class Get, class Enum, size_t n>
void def_choice(Class& cls, const char* name, Get get, const agpt::Choices<Enum, n>& choices) {
  cls.def_prop_rw(
      name, [get, &choices](TrainerConfig& self) { return choices.name(get(self)); },
      [get, &choices](TrainerConfig& self, const std::string& value) { get(self) = choices.parse(value); });
}
template <class Class, class Get>
void def_number(Class& cls, const char* name, Get get) {
  using Value = std::remove_reference_t<decltype(get(std::declval<TrainerConfig&>()))>;
  cls.def_prop_rw(
      name, [get](TrainerConfig& self) { return get(self); },
      [get](TrainerConfig& self, Value value) { get(self) = value; });
}

void bind_trainer_config(nb::module_& m) {
  nb::class_<TrainerConfig> config(m, "TrainerConfig", "How a trainer makes steps, as the engine reads it.");
  config.def(nb::init<>()).def_rw("threads", &TrainerConfig::n_threads);
  def_choice(config, "precision", [](TrainerConfig& c) -> auto& { return c.backend.precision; }, kPrecisions);
  def_number(config, "deterministic", [](TrainerConfig& c) -> auto& { return c.backend.deterministic; });
  def_number(config, "graphs", [](TrainerConfig& c) -> auto& { return c.backend.graphs; });
  def_choice(config, "normalise", [](TrainerConfig& c) -> auto& { return c.normalisation; }, kNormalisations);
  def_choice(config, "optimizer", [](TrainerConfig& c) -> auto& { return c.optimizer.kind; }, kOptimizers);
  def_number(config, "beta1", [](TrainerConfig& c) -> auto& { return c.optimizer.beta1; });
  def_number(config, "beta2", [](TrainerConfig& c) -> auto& { return c.optimizer.beta2; });
  def_number(config, "epsilon", [](TrainerConfig& c) -> auto& { return c.optimizer.epsilon; });
  def_number(config, "weight_decay", [](TrainerConfig& c) -> auto& { return c.optimizer.weight_decay; });
  def_number(config, "decay_vectors", [](TrainerConfig& c) -> auto& { return c.optimizer.decay_vectors; });
  def_number(config, "clip_norm", [](TrainerConfig& c) -> auto& { return c.optimizer.clip_norm; });
  def_choice(config, "schedule", [](TrainerConfig& c) -> auto& { return c.schedule.kind; }, kSchedules);
  def_number(config, "learning_rate", [](TrainerConfig& c) -> auto& { return c.schedule.base; });
  def_number(config, "min_ratio", [](TrainerConfig& c) -> auto& { return c.schedule.min_ratio; });
  def_number(config, "warmup_steps", [](TrainerConfig& c) -> auto& { return c.schedule.warmup_steps; });
  def_number(config, "total_steps", [](TrainerConfig& c) -> auto& { return c.schedule.total_steps; });
}

/// A trainer with the parameters that it updates in place.
template <class Real>
struct BoundTrainer {
  BoundTrainer(const agpt::ModelConfig& model, const TrainerConfig& config, std::shared_ptr<StepSource> source,
               const Flat<Real>& flat, const std::string& backend)
      : parameters(flat),
        trainer(
            model, config, std::move(source),
            agpt::make_backend<Real>(backend, agpt::model_shape(model, agpt::ParameterTable(model)), config.backend),
            std::span<Real>(flat.data(), flat.size())) {}

  template <class Id>
  nb::tuple evaluate(const Ids<Id>& tokens, const Ids<int64_t>& document_starts, Index context, Index stride,
                     bool by_depth) {
    agpt::BatchTotals totals;
    const agpt::StepWork work = agpt::evaluation_work(text_view(tokens, document_starts), context, stride, 256);
    {
      nb::gil_scoped_release release;
      totals = trainer.evaluate(work, by_depth ? context : 0, interrupt_check());
    }
    nb::list depths;
    for (const agpt::PositionTotals& sum : totals.by_position) depths.append(nb::make_tuple(sum.loss, sum.positions));
    return nb::make_tuple(totals.loss, totals.positions, depths);
  }

  Flat<Real> parameters;
  agpt::Trainer<Real> trainer;
  const agpt::InterruptCheck check = interrupt_check();  // of all steps: they may be shorter than its interval
};

template <class Real, class Id>
void bind_evaluate(nb::class_<BoundTrainer<Real>>& trainer) {
  trainer.def("evaluate", &BoundTrainer<Real>::template evaluate<Id>, "tokens"_a.noconvert(), "document_starts"_a,
              "context"_a, "stride"_a, "by_depth"_a = false,
              "Sum of the losses (nats) and number of scored positions of windows of `context` tokens every `stride` "
              "tokens; where by_depth, also a list of both for each context length from 1.");
}

/// An array of numbers that `owner` keeps.
template <class Value>
nb::ndarray<nb::numpy, Value, nb::ndim<1>> array_on(std::span<Value> values, nb::handle owner) {
  return nb::ndarray<nb::numpy, Value, nb::ndim<1>>(values.data(), {values.size()}, owner);
}

template <class Real>
void bind_trainer_of(nb::module_& m, const char* name) {
  using Bound = BoundTrainer<Real>;
  nb::class_<Bound> trainer(m, name, "Makes optimizer steps on parameters that the caller owns, in place.");
  bind_evaluate<Real, uint8_t>(trainer);
  bind_evaluate<Real, uint16_t>(trainer);
  bind_evaluate<Real, uint32_t>(trainer);
  trainer
      .def(nb::init<const agpt::ModelConfig&, const TrainerConfig&, std::shared_ptr<StepSource>, const Flat<Real>&,
                    const std::string&>(),
           "config"_a, "options"_a, "source"_a, "parameters"_a.noconvert(), "backend"_a = "cpu", nb::keep_alive<1, 4>())
      .def(
          "step",
          [](Bound& self) {
            nb::gil_scoped_release release;
            return self.trainer.step(self.check);
          },
          "One optimizer step. NonFiniteError, or KeyboardInterrupt on Ctrl-C, leave the parameters unchanged.")
      .def(
          "evaluate_source",
          [](Bound& self, const StepSource& source) {
            nb::gil_scoped_release release;
            const agpt::BatchTotals totals = self.trainer.evaluate(source.whole_pass(), 0, interrupt_check());
            return std::make_pair(totals.loss, totals.weight);
          },
          "source"_a, "Sum of the weighted losses (nats) over a whole pass of another source, and sum of the weights.")
      .def(
          "gradient",
          [](Bound& self, Flat<double> flat) {
            nb::gil_scoped_release release;
            return self.trainer.gradient({flat.data(), flat.size()}, interrupt_check());
          },
          "flat"_a.noconvert(),
          "Writes the gradient of the mean loss over the whole pass into flat (parameters,); returns that loss in "
          "nats.")
      .def(
          "parameters_changed", [](Bound& self) { self.trainer.parameters_changed(); },
          "To be called after writing to the parameters.")
      .def_prop_rw(
          "base_learning_rate", [](Bound& self) { return self.trainer.schedule().base; },
          [](Bound& self, double base) { self.trainer.set_base_learning_rate(base); },
          "The rate that the schedule scales.")
      .def_prop_ro(
          "learning_rate", [](Bound& self) { return self.trainer.learning_rate(); }, "The rate of the next step.")
      .def_prop_rw(
          "step_count", [](Bound& self) { return self.trainer.step_count(); },
          [](Bound& self, Index count) { self.trainer.set_step_count(count); }, "Steps done.")
      .def_prop_ro(
          "last_gradient",
          [](nb::handle self) { return array_on(nb::cast<Bound&>(self).trainer.last_gradient(), self); },
          "The normalised gradient of the last step before clipping (parameters,), float64; the next step overwrites "
          "it.")
      .def_prop_ro(
          "moments", [](nb::handle self) { return array_on(nb::cast<Bound&>(self).trainer.moments(), self); },
          "The optimizer's state (moments * parameters,), writable.")
      .def_prop_ro(
          "updates_in_place", [](Bound& self) { return self.trainer.updates_in_place(); },
          "Whether steps write to the parameters; otherwise they come with fetch_parameters().")
      .def(
          "fetch_parameters",
          [](Bound& self) {
            nb::gil_scoped_release release;
            self.trainer.fetch_parameters();
          },
          "Writes the parameters of the last step to those that the trainer was made for.")
      .def_prop_ro("device_statistics", [](Bound& self) { return self.trainer.device_statistics(); })
      .def_prop_ro(
          "joined_rows", [](Bound& self) { return self.trainer.joined_rows(); },
          "Rows up to which a device's batches are joined; 0 where they are not.")
      .def_prop_ro("backend_description", [](Bound& self) { return self.trainer.backend_description(); })
      .def_prop_ro(
          "n_workers", [](Bound& self) { return self.trainer.n_workers(); },
          "Threads whose time the parts of a step's seconds sum up.");
}

}  // namespace

void bind_trainer(nb::module_& m) {
  bind_trainer_config(m);
  nb::class_<agpt::StepReport>(m, "StepReport", "What one optimizer step did.")
      .def_ro("step", &agpt::StepReport::step, "Number of the step, from 1.")
      .def_ro("loss", &agpt::StepReport::loss, "Mean weighted cross-entropy before the update, nats.")
      .def_ro("positions", &agpt::StepReport::positions, "Positions that had targets.")
      .def_ro("weight", &agpt::StepReport::weight, "Sum of their weights.")
      .def(
          "fields",
          [](const agpt::StepReport& report) {
            return std::make_tuple(report.step, report.loss, report.positions, report.weight, report.learning_rate,
                                   report.gradient_norm, report.seconds, report.building_seconds,
                                   report.computing_seconds, report.update_seconds);
          },
          "Those of agpt.StepReport, in its order: to read them one by one takes a tenth of a small model's step.");
  nb::class_<agpt::DeviceStatistics>(m, "DeviceStatistics", "Counts of a device's work since its backend was made.")
      .def_ro("launches", &agpt::DeviceStatistics::launches)
      .def_ro("graph_launches", &agpt::DeviceStatistics::graph_launches)
      .def_ro("uploaded_bytes", &agpt::DeviceStatistics::uploaded_bytes)
      .def_ro("peak_bytes", &agpt::DeviceStatistics::peak_bytes);
  bind_trainer_of<float>(m, "Trainer32");
  bind_trainer_of<double>(m, "Trainer64");
}
