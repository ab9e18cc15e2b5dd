// Bindings of cpp/synth: synthetic texts, and how much of a text is copied.
#include "cpp/synth/synthesis.h"

#include <nanobind/stl/function.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>

#include "cpp/corpus/token_hash.h"
#include "cpp/synth/verbatim_overlap.h"
#include "python/src/arrays.h"
#include "python/src/bindings.h"
#include "python/src/choices.h"

using namespace nb::literals;

namespace {

using agpt::Index;
using Progress = std::optional<nb::typed<nb::callable, void(double)>>;

const agpt::Choices<agpt::SynthesisWalk, 2> kWalks{
    "the walk", {{{"bridge", agpt::SynthesisWalk::bridge}, {"suffix", agpt::SynthesisWalk::suffix}}}};
const agpt::Choices<agpt::SynthesisRng, 2> kGenerators{
    "the generator", {{{"xoshiro", agpt::SynthesisRng::xoshiro}, {"reference", agpt::SynthesisRng::reference}}}};

// What the engine calls, without the GIL: looks for signals and tells Python.
std::function<void(double)> reporting_to(const Progress& progress) {
  return [&progress](double fraction) {
    nb::gil_scoped_acquire acquire;
    if (PyErr_CheckSignals() != 0) throw nb::python_error();
    if (progress) (*progress)(fraction);
  };
}

agpt::Synthesis synthesize(const agpt::TrieIndex& index, Index n_tokens, uint64_t seed, const std::string& walk,
                           const std::string& rng, bool space_align, Index space_align_topk, bool space_cut,
                           bool prune_mass1_space, bool prune_mass1_head, const Progress& progress) {
  const agpt::SynthesisOptions options{
      n_tokens,         seed,      kWalks.parse(walk), kGenerators.parse(rng), space_align,
      space_align_topk, space_cut, prune_mass1_space,  prune_mass1_head};
  nb::gil_scoped_release release;
  return agpt::synthesize(index, options, reporting_to(progress));
}

// A view of the tokens of an array of 1, 2 or 4 bytes per element.
agpt::TokenView view_of(const nb::ndarray<nb::ro, nb::ndim<1>, nb::c_contig>& tokens) {
  return {tokens.data(), static_cast<Index>(tokens.size()), static_cast<int>(tokens.itemsize())};
}

nb::dict verbatim_overlap(nb::handle corpus, nb::handle text, const Progress& progress) {
  const auto corpus_array = integer_array(corpus), text_array = integer_array(text);
  agpt::VerbatimOverlap overlap;
  {
    nb::gil_scoped_release release;
    overlap = agpt::measure_verbatim_overlap(view_of(corpus_array), view_of(text_array), reporting_to(progress));
  }
  nb::dict result;
  result["lengths"] = array_of(std::move(overlap.lengths));
  result["longest"] = overlap.longest;
  result["longest_at"] = overlap.longest_at;
  result["longest_in_corpus"] = overlap.longest_in_corpus;
  return result;
}

uint64_t hash_of(const nb::bytes& text) { return agpt::text_hash({text.c_str(), text.size()}); }

}  // namespace

void bind_synth(nb::module_& m) {
  nb::class_<agpt::Synthesis>(m, "Synthesis", "A synthetic text and how it came about.")
      .def_prop_ro(
          "tokens", [](nb::handle self) { return array_of(nb::cast<agpt::Synthesis&>(self).tokens.view(), self); },
          nb::for_getter(nb::sig("def tokens(self) -> numpy.typing.NDArray[typing.Any]")))
      .def_ro("wraps", &agpt::Synthesis::wraps)
      .def_ro("cut_wraps", &agpt::Synthesis::cut_wraps)
      .def_ro("restarts", &agpt::Synthesis::restarts)
      .def_ro("backoffs", &agpt::Synthesis::backoffs);
  m.def("synthesize", &synthesize, "index"_a, nb::kw_only(), "n_tokens"_a, "seed"_a, "walk"_a, "rng"_a, "space_align"_a,
        "space_align_topk"_a, "space_cut"_a, "prune_mass1_space"_a, "prune_mass1_head"_a,
        "progress"_a.none() = nb::none());
  m.def("text_hash", &hash_of, "text"_a, "FNV-1a over the bytes, with the start value of the reference.");
  m.def("verbatim_overlap", &verbatim_overlap, "corpus"_a, "text"_a, "progress"_a.none() = nb::none(),
        nb::sig("def verbatim_overlap(corpus: numpy.typing.NDArray[typing.Any], text: "
                "numpy.typing.NDArray[typing.Any], progress: collections.abc.Callable[[float], None] | None = None) "
                "-> dict[str, typing.Any]"),
        "The longest stretch of the corpus that ends with each token of the text: ids of at most 4 bytes each.");
}
