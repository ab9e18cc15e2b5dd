// Bindings of the training side of cpp/train: step sources, the trainer's configuration, the trainer.
#include "cpp/train/trainer.h"

#include <nanobind/ndarray.h>
#include <nanobind/stl/pair.h>
#include <nanobind/stl/shared_ptr.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include "cpp/train/evaluation.h"
#include "cpp/trie/trie_index.h"
#include "python/src/bindings.h"
#include "python/src/choices.h"
#include "python/src/interrupt.h"

using namespace nb::literals;

namespace {

using agpt::Index;
using agpt::StepSource;
using agpt::TrainerConfig;

const agpt::Choices<agpt::TrieStepConfig::Unit, 4> kUnits = {"unit",
                                                             {{{"positions", agpt::TrieStepConfig::Unit::positions},
                                                               {"whole", agpt::TrieStepConfig::Unit::whole},
                                                               {"ngram", agpt::TrieStepConfig::Unit::ngram},
                                                               {"balanced", agpt::TrieStepConfig::Unit::balanced}}}};
const agpt::Choices<agpt::StepOrder, 3> kOrders = {
    "order",
    {{{"shuffled", agpt::StepOrder::shuffled}, {"fixed", agpt::StepOrder::fixed}, {"mass", agpt::StepOrder::mass}}}};
const agpt::Choices<agpt::Sampler, 4> kSamplers = {"sampler",
                                                   {{{"node", agpt::Sampler::node},
                                                     {"root-child", agpt::Sampler::root_child},
                                                     {"mass-walk", agpt::Sampler::mass_walk},
                                                     {"path", agpt::Sampler::path}}}};
const agpt::Choices<agpt::Tails, 5> kTails = {"tails",
                                              {{{"full", agpt::Tails::full},
                                                {"first", agpt::Tails::first},
                                                {"whitespace", agpt::Tails::whitespace},
                                                {"none", agpt::Tails::none},
                                                {"sampled", agpt::Tails::sampled}}}};
const agpt::Choices<agpt::MassWeight, 4> kMassWeights = {"mass_weight",
                                                         {{{"linear", agpt::MassWeight::linear},
                                                           {"sqrt", agpt::MassWeight::sqrt},
                                                           {"log", agpt::MassWeight::log},
                                                           {"off", agpt::MassWeight::off}}}};
const agpt::Choices<agpt::WindowStepConfig::Order, 3> kWindowOrders = {
    "order",
    {{{"random", agpt::WindowStepConfig::Order::random},
      {"sequential", agpt::WindowStepConfig::Order::sequential},
      {"shuffled", agpt::WindowStepConfig::Order::shuffled}}}};
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
const agpt::Choices<agpt::Normalisation, 2> kNormalisations = {
    "normalise", {{{"step", agpt::Normalisation::step}, {"pass", agpt::Normalisation::pass}}}};

template <class Id>
using Ids = nb::ndarray<const Id, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
template <class Real>
using Flat = nb::ndarray<Real, nb::ndim<1>, nb::c_contig, nb::device::cpu>;

/// A view of the arrays: the caller keeps them alive.
template <class Id>
agpt::TextView text_view(const Ids<Id>& tokens, const Ids<int64_t>& document_starts) {
  agpt::TextView text;
  text.tokens = agpt::TokenView(std::span(tokens.data(), tokens.size()));
  text.document_starts.assign(document_starts.data(), document_starts.data() + document_starts.size());
  for (size_t i = 0; i < text.document_starts.size(); ++i) {
    const Index before = i == 0 ? 0 : text.document_starts[i - 1] + 1;
    AGPT_REQUIRE(text.document_starts[i] >= before && text.document_starts[i] < text.n_tokens(),
                 "document starts must ascend within the text");
  }
  return text;
}

std::shared_ptr<StepSource> trie_source(const agpt::TrieIndex& index, const std::string& unit, int ngram,
                                        Index units_per_step, Index positions, const std::string& order, uint64_t seed,
                                        Index batch_rows, const std::string& mass_weight, double entropy_lambda,
                                        double intermediate_weight, bool spread_heavy, const std::string& tails,
                                        int tail_rows, double tail_rate, int max_depth) {
  agpt::TrieStepConfig config;
  config.unit = kUnits.parse(unit);
  config.ngram = ngram;
  config.units_per_step = units_per_step;
  config.positions = positions;
  config.order = kOrders.parse(order);
  config.seed = seed;
  config.batch_rows = batch_rows;
  config.weighting = {kMassWeights.parse(mass_weight), entropy_lambda, intermediate_weight};
  config.spread_heavy = spread_heavy;
  config.rows = {kTails.parse(tails), tail_rows, tail_rate, max_depth};
  nb::gil_scoped_release release;
  return agpt::make_trie_source(index, config);
}

std::shared_ptr<StepSource> hybrid_source(const agpt::TrieIndex& index, Index context, Index windows, Index positions,
                                          const std::string& order, uint64_t seed, Index batch_rows,
                                          const std::string& mass_weight, bool spread_heavy) {
  agpt::HybridStepConfig config;
  config.core.positions = positions;
  config.core.order = kOrders.parse(order);
  config.core.seed = seed;
  config.core.batch_rows = batch_rows;
  config.core.weighting.mass = kMassWeights.parse(mass_weight);
  config.core.spread_heavy = spread_heavy;
  config.context = context;
  config.windows = windows;
  nb::gil_scoped_release release;
  return agpt::make_hybrid_source(index, config);
}

std::shared_ptr<StepSource> sequence_source(const agpt::SequenceTrie& trie, Index positions, const std::string& order,
                                            uint64_t seed, Index batch_rows) {
  return agpt::make_sequence_source(trie, {positions, kOrders.parse(order), seed, batch_rows});
}

std::shared_ptr<StepSource> staged_source(const std::vector<std::pair<Index, std::shared_ptr<StepSource>>>& stages) {
  std::vector<agpt::Stage> list;
  for (const auto& [n_steps, source] : stages) list.push_back({n_steps, source});
  return agpt::make_staged_source(std::move(list));
}

std::shared_ptr<StepSource> sample_source(const agpt::TrieIndex& index, const std::string& sampler, double stop,
                                          Index most_mass, Index samples, bool corrected,
                                          const std::string& mass_weight, double entropy_lambda,
                                          double intermediate_weight, uint64_t seed, Index batch_rows) {
  agpt::SampleStepConfig config;
  config.rule = {kSamplers.parse(sampler), stop, most_mass};
  config.samples = samples;
  config.corrected = corrected;
  config.weighting = {kMassWeights.parse(mass_weight), entropy_lambda, intermediate_weight};
  config.seed = seed;
  config.batch_rows = batch_rows;
  nb::gil_scoped_release release;
  return agpt::make_sample_source(index, config);
}

template <class Id>
std::shared_ptr<StepSource> window_source(const Ids<Id>& tokens, const Ids<int64_t>& document_starts, Index context,
                                          Index windows, Index stride, const std::string& order, uint64_t seed,
                                          Index batch_rows) {
  agpt::WindowStepConfig config;
  config.context = context;
  config.windows = windows;
  config.stride = stride;
  config.order = kWindowOrders.parse(order);
  config.seed = seed;
  config.batch_rows = batch_rows;
  return agpt::make_window_source(text_view(tokens, document_starts), config);
}

template <class Id>
void bind_window_source(nb::module_& m) {
  m.def("window_source", &window_source<Id>, "tokens"_a.noconvert(), "document_starts"_a, nb::kw_only(), "context"_a,
        "windows"_a = 64, "stride"_a = 0, "order"_a = "random", "seed"_a = 0, "batch_rows"_a = 256,
        nb::keep_alive<0, 1>(),
        "Steps over windows of `context` + 1 tokens of a text; with documents, over the documents' beginnings.");
}

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
        trainer(model, config, std::move(source),
                agpt::make_backend<Real>(backend, agpt::model_shape(model, agpt::ParameterTable(model))),
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
            return self.trainer.step(interrupt_check());
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
          "learning_rate", [](Bound& self) { return self.trainer.schedule().learning_rate(self.trainer.step_count()); },
          "The rate of the next step.")
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
      .def_prop_ro("backend_description", [](Bound& self) { return self.trainer.backend_description(); });
}

}  // namespace

void bind_trainer(nb::module_& m) {
  nb::class_<agpt::StepPlace>(m, "StepPlace", "Where a step stands; all numbers from 0.")
      .def_ro("stage", &agpt::StepPlace::stage, "Stage of a curriculum.")
      .def_ro("pass_number", &agpt::StepPlace::pass, "Pass over the data, within the stage.")
      .def_ro("part", &agpt::StepPlace::part, "The step's number within its pass.")
      .def_ro("unit_paths", &agpt::StepPlace::unit_paths,
              "Tokens that the paths of each unit of the step share; empty where steps have no units.");
  nb::class_<StepSource>(m, "StepSource", "What each optimizer step covers: a function of the step number alone.")
      .def_prop_ro("steps_per_pass", &StepSource::steps_per_pass)
      .def_prop_ro("pass_positions", &StepSource::pass_positions, "Positions of one pass over the data.")
      .def("place", &StepSource::place, "step"_a, "Where step number `step`, from 0, stands.")
      .def("pass_weight", &StepSource::pass_weight, nb::call_guard<nb::gil_scoped_release>(),
           "Sum of the weights of all positions of one pass.");
  m.def("trie_source", &trie_source, "index"_a, nb::kw_only(), "unit"_a = "positions", "ngram"_a = 1,
        "units_per_step"_a = 1, "positions"_a = 16384, "order"_a = "shuffled", "seed"_a = 0, "batch_rows"_a = 256,
        "mass_weight"_a = "linear", "entropy_lambda"_a = 0.0, "intermediate_weight"_a = 1.0, "spread_heavy"_a = false,
        "tails"_a = "full", "tail_rows"_a = 8, "tail_rate"_a = 0.125, "max_depth"_a = agpt::kMaxDepth,
        nb::keep_alive<0, 1>(), "Steps over the rows of a trie.");
  m.def("sample_source", &sample_source, "index"_a, nb::kw_only(), "sampler"_a = "path", "stop"_a = 0.3,
        "most_mass"_a = 0, "samples"_a = 64, "corrected"_a = true, "mass_weight"_a = "linear", "entropy_lambda"_a = 0.0,
        "intermediate_weight"_a = 1.0, "seed"_a = 0, "batch_rows"_a = 256, nb::keep_alive<0, 1>(),
        "Steps over random parts of a trie.");
  m.def("hybrid_source", &hybrid_source, "index"_a, nb::kw_only(), "context"_a, "windows"_a = 16, "positions"_a = 2048,
        "order"_a = "shuffled", "seed"_a = 0, "batch_rows"_a = 256, "mass_weight"_a = "linear",
        "spread_heavy"_a = false, nb::keep_alive<0, 1>(),
        "Steps over the shared core of a trie and windows of its text.");
  m.def("sequence_source", &sequence_source, "trie"_a, nb::kw_only(), "positions"_a = 2048, "order"_a = "shuffled",
        "seed"_a = 0, "batch_rows"_a = 256, nb::keep_alive<0, 1>(), "Steps over the rows of a tree of sequences.");
  m.def("staged_source", &staged_source, "stages"_a, nb::keep_alive<0, 1>(),
        "Sources one after another: pairs of a number of steps and a source; the last never ends.");
  bind_window_source<uint8_t>(m);
  bind_window_source<uint16_t>(m);
  bind_window_source<uint32_t>(m);
  bind_trainer_config(m);
  nb::class_<agpt::StepReport>(m, "StepReport", "What one optimizer step did.")
      .def_ro("step", &agpt::StepReport::step, "Number of the step, from 1.")
      .def_ro("loss", &agpt::StepReport::loss, "Mean weighted cross-entropy before the update, nats.")
      .def_ro("positions", &agpt::StepReport::positions, "Positions that had targets.")
      .def_ro("weight", &agpt::StepReport::weight, "Sum of their weights.")
      .def_ro("learning_rate", &agpt::StepReport::learning_rate)
      .def_ro("gradient_norm", &agpt::StepReport::gradient_norm, "L2 norm of the normalised gradient before clipping.")
      .def_ro("seconds", &agpt::StepReport::seconds, "Wall-clock time of the step.");
  bind_trainer_of<float>(m, "Trainer32");
  bind_trainer_of<double>(m, "Trainer64");
}
