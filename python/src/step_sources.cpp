// Bindings of the step sources of cpp/train: what optimizer steps cover.
#include "cpp/train/step_source.h"

#include <nanobind/stl/pair.h>
#include <nanobind/stl/shared_ptr.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include "cpp/rows/target_blend.h"
#include "python/src/bindings.h"
#include "python/src/choices.h"
#include "python/src/text_view.h"

using namespace nb::literals;

namespace {

using agpt::Index;
using agpt::StepSource;

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
const agpt::Choices<agpt::UnitRate, 4> kUnitRates = {"unit_lr",
                                                     {{{"none", agpt::UnitRate::none},
                                                       {"inv-depth", agpt::UnitRate::inverse_depth},
                                                       {"inv-sqrt-depth", agpt::UnitRate::inverse_sqrt_depth},
                                                       {"sqrt-mass", agpt::UnitRate::sqrt_mass}}}};
const agpt::Choices<agpt::WindowStepConfig::Order, 4> kWindowOrders = {
    "order",
    {{{"random", agpt::WindowStepConfig::Order::random},
      {"sequential", agpt::WindowStepConfig::Order::sequential},
      {"shuffled", agpt::WindowStepConfig::Order::shuffled},
      {"listed", agpt::WindowStepConfig::Order::listed}}}};

// Nothing for a share of 0.
std::shared_ptr<const agpt::TargetBlend> blend_of(const agpt::TrieIndex& index, double share, Index least_mass) {
  if (share == 0) return nullptr;
  nb::gil_scoped_release release;
  return std::make_shared<agpt::TargetBlend>(index, agpt::Blending{share, least_mass});
}

std::shared_ptr<StepSource> trie_source(const agpt::TrieIndex& index, const std::string& unit, int ngram,
                                        Index units_per_step, Index positions, const std::string& order, uint64_t seed,
                                        Index batch_rows, const std::string& mass_weight, double entropy_lambda,
                                        double intermediate_weight, bool spread_heavy, const std::string& tails,
                                        int tail_rows, double tail_rate, int max_depth, double blend,
                                        Index blend_min_mass, const std::string& unit_lr) {
  agpt::TrieStepConfig config;
  config.unit = kUnits.parse(unit);
  config.ngram = ngram;
  config.units_per_step = units_per_step;
  config.positions = positions;
  config.order = kOrders.parse(order);
  config.seed = seed;
  config.batch_rows = batch_rows;
  config.weighting = {kMassWeights.parse(mass_weight), entropy_lambda, intermediate_weight,
                      blend_of(index, blend, blend_min_mass)};
  config.unit_rate = kUnitRates.parse(unit_lr);
  config.spread_heavy = spread_heavy;
  config.rows = {kTails.parse(tails), tail_rows, tail_rate, max_depth};
  nb::gil_scoped_release release;
  return agpt::make_trie_source(index, config);
}

std::shared_ptr<StepSource> hybrid_source(const agpt::TrieIndex& index, Index context, Index windows, Index positions,
                                          const std::string& order, uint64_t seed, Index batch_rows,
                                          const std::string& mass_weight, bool spread_heavy, double blend,
                                          Index blend_min_mass) {
  agpt::HybridStepConfig config;
  config.core.positions = positions;
  config.core.order = kOrders.parse(order);
  config.core.seed = seed;
  config.core.batch_rows = batch_rows;
  config.core.weighting.mass = kMassWeights.parse(mass_weight);
  config.core.weighting.blend = blend_of(index, blend, blend_min_mass);
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
                                          Index most_mass, Index samples, Index positions, bool corrected,
                                          const std::string& mass_weight, double entropy_lambda,
                                          double intermediate_weight, uint64_t seed, Index batch_rows, double blend,
                                          Index blend_min_mass) {
  agpt::SampleStepConfig config;
  config.rule = {kSamplers.parse(sampler), stop, most_mass};
  config.samples = samples;
  config.positions = positions;
  config.corrected = corrected;
  config.weighting = {kMassWeights.parse(mass_weight), entropy_lambda, intermediate_weight,
                      blend_of(index, blend, blend_min_mass)};
  config.seed = seed;
  config.batch_rows = batch_rows;
  nb::gil_scoped_release release;
  return agpt::make_sample_source(index, config);
}

std::shared_ptr<StepSource> reference_source(const agpt::TrieIndex& index, bool whole, Index chunk_positions,
                                             bool truncated, bool chunk_means, const std::string& order, uint64_t seed,
                                             Index batch_rows, const std::string& mass_weight, double entropy_lambda,
                                             double intermediate_weight) {
  agpt::ReferenceStepConfig config;
  config.whole = whole;
  config.chunk_positions = chunk_positions;
  config.truncated = truncated;
  config.chunk_means = chunk_means;
  config.order = kOrders.parse(order);
  config.seed = seed;
  config.batch_rows = batch_rows;
  config.weighting = {kMassWeights.parse(mass_weight), entropy_lambda, intermediate_weight};
  nb::gil_scoped_release release;
  return agpt::make_reference_source(index, config);
}

template <class Id>
std::shared_ptr<StepSource> window_source(const Ids<Id>& tokens, const Ids<int64_t>& document_starts, Index context,
                                          Index windows, Index stride, const std::string& order,
                                          std::vector<Index> list, uint64_t seed, Index batch_rows,
                                          const agpt::TrieIndex* targets, double blend, Index blend_min_mass) {
  agpt::WindowStepConfig config;
  config.targets = targets;
  if (targets) config.blend = blend_of(*targets, blend, blend_min_mass);
  config.context = context;
  config.windows = windows;
  config.stride = stride;
  config.order = kWindowOrders.parse(order);
  config.list = std::move(list);
  config.seed = seed;
  config.batch_rows = batch_rows;
  return agpt::make_window_source(text_view(tokens, document_starts), config);
}

template <class Id>
void bind_window_source(nb::module_& m) {
  m.def("window_source", &window_source<Id>, "tokens"_a.noconvert(), "document_starts"_a, nb::kw_only(), "context"_a,
        "windows"_a = 64, "stride"_a = 0, "order"_a = "random", "list"_a = std::vector<Index>(), "seed"_a = 0,
        "batch_rows"_a = 256, "targets"_a.none() = nb::none(), "blend"_a = 0.0, "blend_min_mass"_a = 1,
        nb::keep_alive<0, 1>(), nb::keep_alive<0, 10>(),
        "Steps over windows of `context` + 1 tokens of a text; with documents, over the documents' beginnings.");
}

}  // namespace

void bind_step_sources(nb::module_& m) {
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
        "tails"_a = "full", "tail_rows"_a = 8, "tail_rate"_a = 0.125, "max_depth"_a = agpt::kMaxDepth, "blend"_a = 0.0,
        "blend_min_mass"_a = 1, "unit_lr"_a = "none", nb::keep_alive<0, 1>(), "Steps over the rows of a trie.");
  m.def("sample_source", &sample_source, "index"_a, nb::kw_only(), "sampler"_a = "path", "stop"_a = 0.3,
        "most_mass"_a = 0, "samples"_a = 0, "positions"_a = 2048, "corrected"_a = true, "mass_weight"_a = "linear",
        "entropy_lambda"_a = 0.0, "intermediate_weight"_a = 1.0, "seed"_a = 0, "batch_rows"_a = 256, "blend"_a = 0.0,
        "blend_min_mass"_a = 1, nb::keep_alive<0, 1>(), "Steps over random parts of a trie.");
  m.def("reference_source", &reference_source, "index"_a, nb::kw_only(), "whole"_a = false,
        "chunk_positions"_a = agpt::ReferenceStepConfig().chunk_positions, "truncated"_a = true, "chunk_means"_a = true,
        "order"_a = "fixed", "seed"_a = 0, "batch_rows"_a = 256, "mass_weight"_a = "linear", "entropy_lambda"_a = 0.0,
        "intermediate_weight"_a = 1.0, nb::keep_alive<0, 1>(),
        "Steps with the gradient of the reference trainer: truncated at the ends of edges, and the sum of the means of "
        "chunks; each of the two can be left out.");
  m.def("hybrid_source", &hybrid_source, "index"_a, nb::kw_only(), "context"_a, "windows"_a = 16, "positions"_a = 2048,
        "order"_a = "shuffled", "seed"_a = 0, "batch_rows"_a = 256, "mass_weight"_a = "linear",
        "spread_heavy"_a = false, "blend"_a = 0.0, "blend_min_mass"_a = 1, nb::keep_alive<0, 1>(),
        "Steps over the shared core of a trie and windows of its text.");
  m.def("sequence_source", &sequence_source, "trie"_a, nb::kw_only(), "positions"_a = 2048, "order"_a = "shuffled",
        "seed"_a = 0, "batch_rows"_a = 256, nb::keep_alive<0, 1>(), "Steps over the rows of a tree of sequences.");
  m.def(
      "accumulated_source",
      [](std::shared_ptr<StepSource> source, Index count) -> std::shared_ptr<StepSource> {
        return agpt::make_accumulated_source(std::move(source), count);
      },
      "source"_a, "count"_a, nb::keep_alive<0, 1>(), "Steps of `count` steps of a source, within its passes.");
  m.def("staged_source", &staged_source, "stages"_a, nb::keep_alive<0, 1>(),
        "Sources one after another: pairs of a number of steps and a source; the last never ends.");
  bind_window_source<uint8_t>(m);
  bind_window_source<uint16_t>(m);
  bind_window_source<uint32_t>(m);
}
