// Bindings of cpp/interchange: the files of the reference builders, written from an index, read and checked.
#include <nanobind/stl/filesystem.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include "cpp/corpus/corpus.h"
#include "cpp/interchange/leveled_export.h"
#include "cpp/interchange/radix_export.h"
#include "cpp/interchange/reference_import.h"
#include "cpp/interchange/reference_verify.h"
#include "cpp/interchange/single_file_export.h"
#include "cpp/interchange/text_match.h"
#include "python/src/bindings.h"

using namespace nb::literals;

namespace {

using agpt::Index;
using agpt::TrieIndex;
using Path = std::filesystem::path;

nb::dict export_radix(const TrieIndex& index, const Path& path, const std::string& order, int subtree_level,
                      Index prune_min_mass, int prune_min_depth) {
  const agpt::RadixExport options{agpt::parse_builder_order(order), agpt::parse_subtree_level(subtree_level),
                                  prune_min_mass, prune_min_depth};
  agpt::RadixTotals totals;
  {
    nb::gil_scoped_release release;
    agpt::DiskFolder folder(path.string());
    totals = agpt::export_radix(index, options, folder);
    folder.commit();
  }
  nb::dict figures;
  figures["n_records"] = totals.n_records;
  figures["edge_tokens"] = totals.edge_tokens;
  return figures;
}

Index export_leveled(const TrieIndex& index, const Path& path) {
  agpt::DiskFolder folder(path.string());
  const Index n_nodes = agpt::export_leveled(index, folder);
  folder.commit();
  return n_nodes;
}

Index export_single(const TrieIndex& index, const Path& path) {
  AGPT_REQUIRE(!std::filesystem::exists(path),
               "'" + path.string() + "' exists already: remove it or name another file");
  return agpt::export_single(index, std::make_unique<agpt::DiskFile>(path.string()));
}

TrieIndex import_reference(const Path& path) {
  return agpt::import_reference(agpt::ReferenceFiles::open(path.string()));
}

TrieIndex index_of_text(const Path& path, const agpt::Corpus& corpus, int threads) {
  return agpt::index_of_text(agpt::ReferenceFiles::open(path.string()), corpus, threads);
}

// What verifying found, before it becomes Python's.
struct Findings {
  agpt::ReferenceFormat format;
  int depth;
  size_t n_records;
  std::vector<std::string> violations;
};

Findings find_violations(const Path& path) {
  const agpt::ReferenceFiles files = agpt::ReferenceFiles::open(path.string());
  const agpt::ReferenceFormat format = files.format();
  if (format == agpt::ReferenceFormat::radix) {
    const agpt::RadixTrie trie = agpt::read_radix_trie(files);
    return {format, trie.depth, trie.records.size(), agpt::verify_radix_trie(trie)};
  }
  const agpt::PathTrie trie = agpt::read_path_trie(files);
  return {format, trie.depth, trie.nodes.size(), agpt::verify_path_trie(trie)};
}

nb::dict verify_reference(const Path& path) {
  const Findings findings = [&] {
    nb::gil_scoped_release release;
    return find_violations(path);
  }();
  nb::dict result;
  result["format"] = agpt::to_string(findings.format);
  result["depth"] = findings.depth;
  result["n_records"] = findings.n_records;
  result["violations"] = findings.violations;
  return result;
}

}  // namespace

void bind_interchange(nb::module_& m) {
  m.def(
      "export_radix", &export_radix, "index"_a, "path"_a, nb::kw_only(), "order"_a, "subtree_level"_a,
      "prune_min_mass"_a, "prune_min_depth"_a,
      nb::sig("def export_radix(index: TrieIndex, path: str | os.PathLike, *, order: str, subtree_level: int, "
              "prune_min_mass: int, prune_min_depth: int) -> dict[str, int]"),
      "Writes the folder `path`: order 'a' or 'b'; with subtree_level 1 or 2 also a file for each first token or each "
      "first two. Returns n_records and edge_tokens.");
  m.def("export_leveled", &export_leveled, "index"_a, "path"_a, nb::call_guard<nb::gil_scoped_release>(),
        "Writes the folder `path`, a file for each depth; returns the number of nodes, the root included.");
  m.def("export_single", &export_single, "index"_a, "path"_a, nb::call_guard<nb::gil_scoped_release>(),
        "Writes the file `path`, nodes in order of insertion; returns their number, the root included.");
  m.def("import_reference", &import_reference, "path"_a, nb::call_guard<nb::gil_scoped_release>(),
        "The index of a trie in the files of a reference builder, without its text.");
  m.def("index_of_text", &index_of_text, "path"_a, "corpus"_a, "threads"_a = 0,
        nb::call_guard<nb::gil_scoped_release>(),
        "The index of the corpus that gives exactly the files at `path`. FormatError says where they differ.");
  m.def("verify_reference", &verify_reference, "path"_a,
        nb::sig("def verify_reference(path: str | os.PathLike) -> dict[str, typing.Any]"),
        "What the files of a reference builder hold: format, depth, n_records and violations.");
}
