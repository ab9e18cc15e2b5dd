// Bindings of cpp/diagnostics: what precedes a context, and how far two texts agree.
#include "cpp/diagnostics/backward_posterior.h"
#include "cpp/diagnostics/convergence.h"
#include "python/src/arrays.h"
#include "python/src/bindings.h"

using namespace nb::literals;

namespace {

using agpt::Index;

nb::dict backward_posterior(const agpt::TrieIndex& index, int length) {
  agpt::BackwardPosterior posterior;
  {
    nb::gil_scoped_release release;
    posterior = agpt::backward_posterior(index, length);
  }
  nb::dict result;
  result["n_paths"] = posterior.n_paths;
  result["start"] = array_of(std::move(posterior.start));
  result["mass"] = array_of(std::move(posterior.mass));
  result["support"] = array_of(std::move(posterior.support));
  result["entropy"] = array_of(std::move(posterior.entropy));
  return result;
}

std::span<const uint8_t> bytes_of(const nb::bytes& text) {
  return {static_cast<const uint8_t*>(text.data()), text.size()};
}

nb::dict shared_paths(const nb::bytes& a, const nb::bytes& b, int depth, Index min_count, bool reference_bug) {
  const std::span<const uint8_t> bytes_a = bytes_of(a), bytes_b = bytes_of(b);
  agpt::SharedPaths paths;
  {
    nb::gil_scoped_release release;
    paths = agpt::shared_paths(bytes_a, bytes_b, {depth, min_count, reference_bug});
  }
  nb::dict result;
  result["depth"] = array_of(std::move(paths.depth));
  result["start"] = array_of(std::move(paths.start));
  result["count_a"] = array_of(std::move(paths.count_a));
  result["count_b"] = array_of(std::move(paths.count_b));
  result["log_p_a"] = array_of(std::move(paths.log_p_a));
  result["log_p_b"] = array_of(std::move(paths.log_p_b));
  result["log_p_min"] = array_of(std::move(paths.log_p_min));
  return result;
}

}  // namespace

void bind_diagnostics(nb::module_& m) {
  m.def("backward_posterior", &backward_posterior, "index"_a, "length"_a,
        nb::sig("def backward_posterior(index: TrieIndex, length: int) -> dict[str, typing.Any]"),
        "For each context of length - 1 tokens: its mass, and support and entropy of the token before it.");
  m.def("shared_paths", &shared_paths, "a"_a, "b"_a, nb::kw_only(), "depth"_a, "min_count"_a, "reference_bug"_a,
        nb::sig("def shared_paths(a: bytes, b: bytes, *, depth: int, min_count: int, reference_bug: bool) "
                "-> dict[str, typing.Any]"),
        "The paths that are common in both texts, with the logarithm of the probability that each gives them.");
}
