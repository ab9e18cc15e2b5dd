// Bindings of cpp/model: the configuration, the layout of the parameters, their initial values.
#include <nanobind/ndarray.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include "cpp/model/model_config.h"
#include "cpp/model/parameter_table.h"
#include "python/src/bindings.h"
#include "python/src/choices.h"

using namespace nb::literals;

namespace {

using agpt::ModelConfig;

const agpt::Choices<agpt::Norm, 2> kNorms = {
    "norm", {{{"layernorm", agpt::Norm::layer_norm}, {"rmsnorm", agpt::Norm::rms_norm}}}};
const agpt::Choices<agpt::Position, 3> kPositions = {
    "position",
    {{{"rope", agpt::Position::rope}, {"learned", agpt::Position::learned}, {"none", agpt::Position::none}}}};
const agpt::Choices<agpt::Activation, 3> kActivations = {
    "activation",
    {{{"relu", agpt::Activation::relu}, {"relu2", agpt::Activation::relu_squared}, {"gelu", agpt::Activation::gelu}}}};
const agpt::Choices<agpt::Initialisation, 4> kInitialisations = {"init",
                                                                 {{{"microgpt", agpt::Initialisation::microgpt},
                                                                   {"gpt2", agpt::Initialisation::gpt2},
                                                                   {"karpathy-a", agpt::Initialisation::karpathy_a},
                                                                   {"karpathy-b", agpt::Initialisation::karpathy_b}}}};

/// A property that Python reads and writes as the name of an enumerator.
template <class Class, class Enum, size_t n>
void def_choice(Class& cls, const char* name, Enum ModelConfig::* member, const agpt::Choices<Enum, n>& choices) {
  cls.def_prop_rw(
      name, [member, &choices](const ModelConfig& self) { return choices.name(self.*member); },
      [member, &choices](ModelConfig& self, const std::string& value) { self.*member = choices.parse(value); });
}

template <class Real>
void initialise(const ModelConfig& config, uint64_t seed,
                nb::ndarray<Real, nb::ndim<1>, nb::c_contig, nb::device::cpu> flat) {
  agpt::initialise_parameters<Real>(config, agpt::ParameterTable(config), seed, {flat.data(), flat.size()});
}

nb::list parameter_layout(const ModelConfig& config) {
  nb::list layout;
  const agpt::ParameterTable table(config);
  for (const agpt::Parameter& parameter : table.parameters())
    layout.append(nb::make_tuple(
        parameter.name, parameter.offset,
        parameter.is_vector ? nb::make_tuple(parameter.columns) : nb::make_tuple(parameter.rows, parameter.columns)));
  return layout;
}

}  // namespace

void bind_model(nb::module_& m) {
  auto config = nb::class_<ModelConfig>(m, "ModelConfig", "Architecture of a model, as the engine reads it.")
                    .def(nb::init<>())
                    .def("validate", &ModelConfig::validate, "ArgumentError for the first choice that does not fit.")
                    .def_rw("vocab_size", &ModelConfig::vocab_size)
                    .def_rw("context", &ModelConfig::context)
                    .def_rw("d_model", &ModelConfig::d_model)
                    .def_rw("n_layers", &ModelConfig::n_layers)
                    .def_rw("heads", &ModelConfig::heads)
                    .def_rw("d_ff", &ModelConfig::d_ff)
                    .def_rw("norm_gain", &ModelConfig::norm_gain)
                    .def_rw("norm_bias", &ModelConfig::norm_bias)
                    .def_rw("norm_epsilon", &ModelConfig::norm_epsilon)
                    .def_rw("bias", &ModelConfig::bias)
                    .def_rw("head_bias", &ModelConfig::head_bias)
                    .def_rw("rope_base", &ModelConfig::rope_base)
                    .def_rw("embedding_norm", &ModelConfig::embedding_norm)
                    .def_rw("final_norm", &ModelConfig::final_norm)
                    .def_rw("tied_head", &ModelConfig::tied_head);
  def_choice(config, "norm", &ModelConfig::norm, kNorms);
  def_choice(config, "position", &ModelConfig::position, kPositions);
  def_choice(config, "activation", &ModelConfig::activation, kActivations);
  def_choice(config, "init", &ModelConfig::initialisation, kInitialisations);

  m.def("parameter_layout", &parameter_layout,
        nb::sig("def parameter_layout(config: ModelConfig) -> list[tuple[str, int, tuple[int, ...]]]"), "config"_a,
        "Name, offset in the flat buffer and shape of every parameter; the tensors lie one after the other without "
        "gaps.");
  m.def(
      "initial_deviations",
      [](const ModelConfig& config) {
        const agpt::ParameterTable table(config);
        std::vector<double> deviations;
        for (const agpt::Parameter& parameter : table.parameters())
          deviations.push_back(parameter.is_vector ? 0 : agpt::initial_deviation(config, parameter));
        return deviations;
      },
      "config"_a, "Standard deviation of the initial values of every parameter of the layout; 0 for vectors.");
  m.def("initialise_parameters", &initialise<float>, "config"_a, "seed"_a, "flat"_a,
        "Fills the flat buffer (float32 or float64) with the initial values.");
  m.def("initialise_parameters", &initialise<double>, "config"_a, "seed"_a, "flat"_a);
}
