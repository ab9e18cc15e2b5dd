// Bindings of cpp/train/inference: logits and generation.
#include "cpp/train/inference.h"

#include <nanobind/ndarray.h>
#include <nanobind/stl/string.h>

#include "python/src/bindings.h"
#include "python/src/interrupt.h"

using namespace nb::literals;

namespace {

using agpt::Index;
using Tokens = nb::ndarray<const uint32_t, nb::ndim<1>, nb::c_contig, nb::device::cpu>;

std::span<const agpt::Token> span_of(const Tokens& tokens) { return {tokens.data(), tokens.size()}; }

/// An array that owns the values.
template <class Value>
nb::object to_numpy(std::vector<Value> values, std::initializer_list<size_t> shape) {
  auto* held = new std::vector<Value>(std::move(values));
  nb::capsule owner(held, [](void* p) noexcept { delete static_cast<std::vector<Value>*>(p); });
  return nb::cast(nb::ndarray<nb::numpy, Value>(held->data(), shape, owner));
}

template <class Real>
void bind_inference_of(nb::module_& m, const char* name) {
  using Inference = agpt::Inference<Real>;
  nb::class_<Inference>(m, name, "A model at work, on a copy of its parameters.")
      .def(
          "__init__",
          [](Inference* self, const agpt::ModelConfig& config,
             const nb::ndarray<const Real, nb::ndim<1>, nb::c_contig, nb::device::cpu>& parameters,
             const std::string& backend) {
            new (self) Inference(
                config, agpt::make_backend<Real>(backend, agpt::model_shape(config, agpt::ParameterTable(config))),
                {parameters.data(), parameters.size()});
          },
          "config"_a, "parameters"_a.noconvert(), "backend"_a = "cpu")
      .def(
          "set_parameters",
          [](Inference& self, const nb::ndarray<const Real, nb::ndim<1>, nb::c_contig, nb::device::cpu>& parameters) {
            self.set_parameters({parameters.data(), parameters.size()});
          },
          "parameters"_a.noconvert(), "Works with a copy of these from now on.")
      .def(
          "logits",
          [](Inference& self, const Tokens& tokens) {
            std::vector<Real> logits;
            {
              nb::gil_scoped_release release;
              logits = self.logits(span_of(tokens));
            }
            const size_t rows = tokens.size(), columns = rows == 0 ? 0 : logits.size() / rows;
            return to_numpy(std::move(logits), {rows, columns});
          },
          "tokens"_a.noconvert(), "Logits (tokens, vocabulary); row i predicts what follows tokens[: i + 1].")
      .def(
          "stages",
          [](Inference& self, const Tokens& tokens) {
            std::vector<agpt::StageValues<Real>> stages;
            {
              nb::gil_scoped_release release;
              stages = self.stages(span_of(tokens));
            }
            nb::dict arrays;
            for (agpt::StageValues<Real>& stage : stages) {
              const auto columns = static_cast<size_t>(stage.columns);
              arrays[stage.name.c_str()] = to_numpy(std::move(stage.values), {tokens.size(), columns});
            }
            return arrays;
          },
          "tokens"_a.noconvert(), "Stage -> array (tokens, columns) of every stage of the forward pass, in order.")
      .def(
          "generate",
          [](Inference& self, const Tokens& prompt, Index max_tokens, double temperature, Index top_k, double top_p,
             int64_t stop_token, Index n_samples, uint64_t seed, double repetition_penalty, Index repetition_window,
             Index reread_tokens, int64_t restart_token, int64_t excluded_token, const nb::object& uniform,
             const nb::object& progress) {
            agpt::GenerationConfig config{max_tokens, temperature,    top_k,     top_p,
                                          stop_token, excluded_token, n_samples, seed};
            config.repetition_penalty = repetition_penalty, config.repetition_window = repetition_window;
            config.reread_tokens = reread_tokens, config.restart_token = restart_token;
            if (!uniform.is_none())
              config.uniform = [&uniform] {
                const nb::gil_scoped_acquire acquire;
                return nb::cast<double>(uniform());
              };
            std::vector<std::vector<agpt::Token>> samples;
            {
              nb::gil_scoped_release release;
              samples = self.generate(span_of(prompt), config, [&, check = interrupt_check()](Index done) {
                check();
                if (progress.is_none()) return;
                nb::gil_scoped_acquire acquire;
                progress(done);
              });
            }
            nb::list arrays;
            for (std::vector<agpt::Token>& sample : samples) {
              const size_t size = sample.size();
              arrays.append(to_numpy(std::move(sample), {size}));
            }
            return arrays;
          },
          "prompt"_a.noconvert(), nb::kw_only(), "max_tokens"_a = 200, "temperature"_a = 1.0, "top_k"_a = 0,
          "top_p"_a = 1.0, "stop_token"_a = -1, "n_samples"_a = 1, "seed"_a = 0, "repetition_penalty"_a = 1.0,
          "repetition_window"_a = 32, "reread_tokens"_a = 0, "restart_token"_a = -1, "excluded_token"_a = -1,
          "uniform"_a = nb::none(), "progress"_a = nb::none(), "New tokens of each sample, the prompt excluded.");
}

}  // namespace

void bind_inference(nb::module_& m) {
  bind_inference_of<float>(m, "Inference32");
  bind_inference_of<double>(m, "Inference64");
}
