// Bindings of cpp/trie: building, saving, opening and asking an index.
#include "cpp/trie/trie_index.h"

#include <nanobind/stl/filesystem.h>
#include <nanobind/stl/function.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <cstdio>

#include "cpp/interchange/imported_verify.h"
#include "cpp/trie/build_plan.h"
#include "cpp/trie/index_builder.h"
#include "cpp/trie/trie_verify.h"
#include "python/src/arrays.h"
#include "python/src/bindings.h"
#include "python/src/trie_index.h"

using namespace nb::literals;

namespace {

using agpt::Index;
using agpt::TrieIndex;

using Progress = std::optional<nb::typed<nb::callable, void(double, std::string)>>;

agpt::IndexOptions options_of(const agpt::Corpus& corpus, int depth, double val_fraction, uint64_t split_seed,
                              const std::optional<std::string>& starts, const std::string& corpus_end, bool reverse,
                              Index prune_min_mass, int prune_min_depth) {
  agpt::IndexOptions options;
  options.depth = depth;
  options.val_fraction = val_fraction;
  options.split_seed = split_seed;
  options.starts = agpt::Starts::parse(starts.value_or(corpus.has_documents() ? "documents" : "every"));
  options.corpus_end = agpt::parse_corpus_end(corpus_end);
  options.reverse = reverse;
  options.prune_min_mass = prune_min_mass;
  options.prune_min_depth = prune_min_depth;
  return options;
}

// Called on the thread that called Python's function.
agpt::BuildProgress report_to(const Progress& progress) {
  return [&progress](double fraction, const std::string& stage) {
    nb::gil_scoped_acquire acquire;
    if (PyErr_CheckSignals() != 0) throw nb::python_error();
    if (progress) (*progress)(fraction, stage);
  };
}

TrieIndex build(const agpt::Corpus& corpus, int depth, double val_fraction, uint64_t split_seed,
                const std::optional<std::string>& starts, const std::string& corpus_end, bool reverse,
                Index prune_min_mass, int prune_min_depth, int threads, const Progress& progress) {
  const agpt::IndexOptions options =
      options_of(corpus, depth, val_fraction, split_seed, starts, corpus_end, reverse, prune_min_mass, prune_min_depth);
  nb::gil_scoped_release release;
  return agpt::build_trie_index(corpus, options, threads, report_to(progress));
}

TrieIndex build_to(const std::filesystem::path& path, const agpt::Corpus& corpus, int depth, double val_fraction,
                   uint64_t split_seed, const std::optional<std::string>& starts, const std::string& corpus_end,
                   bool reverse, Index prune_min_mass, int prune_min_depth, int threads, size_t memory,
                   const Progress& progress, const std::optional<nb::typed<nb::callable, void(std::string)>>& remark) {
  const agpt::IndexOptions options =
      options_of(corpus, depth, val_fraction, split_seed, starts, corpus_end, reverse, prune_min_mass, prune_min_depth);
  agpt::BuildResources resources{.n_threads = threads, .memory = memory, .progress = report_to(progress)};
  if (remark) {
    resources.remark = [&](const std::string& sentence) {
      nb::gil_scoped_acquire acquire;
      (*remark)(sentence);
    };
  }
  nb::gil_scoped_release release;
  agpt::build_trie_index_file(path.string(), corpus, options, resources);
  return TrieIndex::open(path.string());
}

nb::dict plan(const agpt::Corpus& corpus, int depth, double val_fraction, uint64_t split_seed,
              const std::optional<std::string>& starts, const std::string& corpus_end, bool reverse,
              Index prune_min_mass, int prune_min_depth, int threads, size_t memory) {
  const agpt::IndexOptions options =
      options_of(corpus, depth, val_fraction, split_seed, starts, corpus_end, reverse, prune_min_mass, prune_min_depth);
  agpt::BuildPlan expected;
  {
    nb::gil_scoped_release release;
    expected = agpt::plan_trie_index(corpus, options, {.n_threads = threads, .memory = memory});
  }
  nb::dict result;
  result["n_tokens"] = expected.n_tokens;
  result["n_starts"] = expected.n_starts;
  result["n_positions"] = expected.n_positions;
  result["n_nodes"] = expected.n_nodes;
  result["index_bytes"] = expected.index_bytes;
  result["peak_memory_bytes"] = expected.peak_memory_bytes;
  result["uses_folder"] = expected.uses_folder;
  result["n_groups"] = expected.n_groups;
  result["seconds"] = expected.seconds;
  return result;
}

TrieIndex open(const std::filesystem::path& path) {
  nb::gil_scoped_release release;
  return TrieIndex::open(path.string());
}

void save(const TrieIndex& index, const std::filesystem::path& path) {
  nb::gil_scoped_release release;
  index.save(path.string());
}

std::string hash_of(const TrieIndex& index) {
  char digits[17];
  std::snprintf(digits, sizeof digits, "%016llx", static_cast<unsigned long long>(index.token_hash()));
  return digits;
}

void bind_options(nb::class_<TrieIndex>& index) {
  index
      .def_prop_ro(
          "starts", [](const TrieIndex& self) { return self.options().starts.to_string(); }, "The rule for starts.")
      .def_prop_ro("corpus_end", [](const TrieIndex& self) { return agpt::to_string(self.options().corpus_end); })
      .def_prop_ro("reverse", [](const TrieIndex& self) { return self.options().reverse; })
      .def_prop_ro("val_fraction", [](const TrieIndex& self) { return self.options().val_fraction; })
      .def_prop_ro("split_seed", [](const TrieIndex& self) { return self.options().split_seed; })
      .def_prop_ro("prune_min_mass", [](const TrieIndex& self) { return self.options().prune_min_mass; })
      .def_prop_ro("prune_min_depth", [](const TrieIndex& self) { return self.options().prune_min_depth; });
}

void bind_text(nb::class_<TrieIndex>& index) {
  index
      .def_prop_ro(
          "tokens", [](nb::handle self) { return array_of(nb::cast<const TrieIndex&>(self).tokens(), self); },
          nb::for_getter(nb::sig("def tokens(self) -> numpy.typing.NDArray[typing.Any]")),
          "The training text, in place and read-only.")
      .def_prop_ro(
          "held_out", [](nb::handle self) { return array_of(nb::cast<const TrieIndex&>(self).held_out(), self); },
          nb::for_getter(nb::sig("def held_out(self) -> numpy.typing.NDArray[typing.Any]")),
          "The text that the trie has not seen, in place and read-only.")
      .def_prop_ro("n_tokens", &TrieIndex::n_tokens, "Tokens of the training text.")
      .def_prop_ro("has_text", &TrieIndex::has_text,
                   "Whether tokens is the text that the trie was built from; that of an imported index is made up of "
                   "its paths.")
      .def("require_text", &TrieIndex::require_text, "purpose"_a,
           "ArgumentError, saying that `purpose` needs the text, unless has_text.")
      .def_prop_ro("vocabulary", &TrieIndex::vocabulary, nb::rv_policy::reference_internal)
      .def_prop_ro("vocab_size", &TrieIndex::vocabulary_size)
      .def_prop_ro("documents", &TrieIndex::has_documents, "Whether the text is made of documents.")
      .def_prop_ro("hash", &hash_of, "Hash of the training tokens, 16 hexadecimal digits.")
      .def(
          "encode", [](nb::handle self, const nb::str& text) { return self.attr("vocabulary").attr("encode")(text); },
          "text"_a, nb::sig("def encode(self, text: str) -> numpy.typing.NDArray[numpy.uint32]"))
      .def(
          "decode", [](nb::handle self, nb::handle tokens) { return self.attr("vocabulary").attr("decode")(tokens); },
          "tokens"_a, nb::sig("def decode(self, tokens: numpy.typing.ArrayLike) -> str"));
}

std::vector<std::string> verify(const TrieIndex& index, bool deep) {
  nb::gil_scoped_release release;
  if (!index.has_text()) return agpt::verify_imported_index(index);
  std::vector<std::string> violations = agpt::verify_trie_index(index);
  if (deep && violations.empty()) violations = agpt::verify_by_rebuilding(index);
  return violations;
}

}  // namespace

void bind_trie_index(nb::module_& m) {
  nb::class_<TrieIndex> index(m, "TrieIndex", "The depth-capped prefix trie of a corpus; immutable.");
  index
      .def_static("build", &build, "corpus"_a, "depth"_a = 32, nb::kw_only(), "val_fraction"_a = 0.0,
                  "split_seed"_a = 0, "starts"_a.none() = nb::none(), "corpus_end"_a = "exact", "reverse"_a = false,
                  "prune_min_mass"_a = 1, "prune_min_depth"_a = 4, "threads"_a = 0, "progress"_a.none() = nb::none(),
                  "Builds the index of a corpus in memory. starts: 'every', 'stride=K', 'max=N', 'max=N+OFFSET' or "
                  "'documents'; by default documents for a corpus of documents, else every. threads=0: as many as the "
                  "machine has. progress(fraction, stage) is called now and then; what it raises ends the build.")
      .def_static(
          "build_to", &build_to, "path"_a, "corpus"_a, "depth"_a = 32, nb::kw_only(), "val_fraction"_a = 0.0,
          "split_seed"_a = 0, "starts"_a.none() = nb::none(), "corpus_end"_a = "exact", "reverse"_a = false,
          "prune_min_mass"_a = 1, "prune_min_depth"_a = 4, "threads"_a = 0, "memory"_a = 0,
          "progress"_a.none() = nb::none(), "remark"_a.none() = nb::none(),
          "Builds the same bytes straight into a file and opens it. memory: bytes that the arrays of the build "
          "may take, the corpus included; 0: no cap. If that is too little for the whole, finished parts wait in "
          "the folder PATH.build: a build that was stopped goes on from there. MemoryCapError names the least "
          "that will do. remark(sentence) is told what the user should know.")
      .def_static(
          "plan", &plan, "corpus"_a, "depth"_a = 32, nb::kw_only(), "val_fraction"_a = 0.0, "split_seed"_a = 0,
          "starts"_a.none() = nb::none(), "corpus_end"_a = "exact", "reverse"_a = false, "prune_min_mass"_a = 1,
          "prune_min_depth"_a = 4, "threads"_a = 0, "memory"_a = 0,
          nb::sig("def plan(corpus: Corpus, depth: int = 32, *, val_fraction: float = 0.0, split_seed: int = 0, "
                  "starts: str | None = None, corpus_end: str = 'exact', reverse: bool = False, "
                  "prune_min_mass: int = 1, prune_min_depth: int = 4, threads: int = 0, memory: int = 0) -> "
                  "dict[str, typing.Any]"),
          "What build_to would cost, from a sample, without building: n_tokens and n_starts (exact); n_positions, "
          "n_nodes, index_bytes, seconds and peak_memory_bytes (expected), n_groups and "
          "uses_folder.")
      .def_static("open", &open, "path"_a, "Maps an index file. FormatError for anything else.")
      .def("save", &save, "path"_a, "Writes the index file; the name only ever shows a whole file.")
      .def_prop_ro(
          "depth", [](const TrieIndex& self) { return self.depth(); }, "Longest path.")
      .def_prop_ro("n_nodes", &TrieIndex::n_nodes, "Endpoints of edges.")
      .def_prop_ro("n_positions", &TrieIndex::n_positions, "Distinct paths that are followed by something.")
      .def_prop_ro("n_entries", &TrieIndex::n_entries, "Pairs of an endpoint and a token that follows it.")
      .def_prop_ro(
          "n_bytes", [](const TrieIndex& self) { return self.bytes().size(); }, "Size of the index, and of its file.")
      .def_prop_ro("n_starts", &TrieIndex::n_starts, "Starts that the trie was built from.")
      .def_prop_ro("total_mass", &TrieIndex::total_mass,
                   "Sum of the masses of all positions: the predictions they stand for.")
      .def("verify", &verify, "deep"_a = false,
           "The violations of the index's invariants, one sentence each, the first 20 in full; empty if it is good: "
           "every path, mass and target is counted again from the text. deep: also builds the index again and compares "
           "the bytes.")
      .def("__repr__", [](const TrieIndex& self) {
        return "TrieIndex(depth=" + std::to_string(self.depth()) + ", n_tokens=" + std::to_string(self.n_tokens()) +
               ", n_positions=" + std::to_string(self.n_positions()) + ", n_nodes=" + std::to_string(self.n_nodes()) +
               ")";
      });
  bind_options(index);
  bind_text(index);
  bind_trie_queries(index);
  bind_trie_nodes(m, index);
  bind_trie_profile(index);
}
