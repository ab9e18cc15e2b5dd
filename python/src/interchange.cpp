// Bindings of cpp/interchange: the files of the reference builders, written from an index.
#include <nanobind/stl/filesystem.h>
#include <nanobind/stl/string.h>

#include "cpp/interchange/radix_export.h"
#include "python/src/bindings.h"

using namespace nb::literals;

namespace {

using agpt::TrieIndex;

nb::dict export_radix(const TrieIndex& index, const std::filesystem::path& path, const std::string& order,
                      int subtree_level) {
  const agpt::RadixExport options{agpt::parse_builder_order(order), agpt::parse_subtree_level(subtree_level)};
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

}  // namespace

void bind_interchange(nb::module_& m) {
  m.def("export_radix", &export_radix, "index"_a, "path"_a, nb::kw_only(), "order"_a = "a", "subtree_level"_a = 0,
        nb::sig("def export_radix(index: TrieIndex, path: str | os.PathLike, *, order: str = 'a', subtree_level: int "
                "= 0) -> dict[str, int]"),
        "Writes the folder `path` as the reference builders would: order 'a' or 'b'; with subtree_level 1 or 2 also "
        "a file for each first token or each first two. Returns n_records and edge_tokens.");
}
