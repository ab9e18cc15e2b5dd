// Bindings of the figures of an index: its profile and its partitions.
#include "cpp/trie/trie_profile.h"

#include <nanobind/stl/string.h>

#include "cpp/trie/trie_partition.h"
#include "python/src/arrays.h"
#include "python/src/trie_index.h"

using namespace nb::literals;

namespace {

using agpt::Index;
using agpt::TrieIndex;

nb::dict profile(const TrieIndex& index) {
  agpt::TrieProfile figures;
  {
    nb::gil_scoped_release release;
    figures = agpt::profile_trie_index(index);
  }
  nb::dict result;
  result["sharing_ratio"] = figures.sharing_ratio;
  result["n_leaves"] = figures.n_leaves;
  result["n_single_leaves"] = figures.n_single_leaves;
  result["single_leaf_tokens"] = figures.single_leaf_tokens;
  result["positions"] = array_of(std::move(figures.positions));
  result["mass"] = array_of(std::move(figures.mass));
  result["shared_positions"] = array_of(std::move(figures.shared_positions));
  result["nodes"] = array_of(std::move(figures.nodes));
  result["edge_tokens"] = array_of(std::move(figures.edge_tokens));
  result["entries"] = array_of(std::move(figures.entries));
  result["single_target_nodes"] = array_of(std::move(figures.single_target_nodes));
  result["node_mass"] = array_of(std::move(figures.node_mass));
  result["median_node_mass"] = array_of(std::move(figures.median_node_mass));
  result["largest_node_mass"] = array_of(std::move(figures.largest_node_mass));
  result["unique_leaves"] = array_of(std::move(figures.unique_leaves));
  result["root_token"] = array_of(std::move(figures.root_token));
  result["root_nodes"] = array_of(std::move(figures.root_nodes));
  result["root_positions"] = array_of(std::move(figures.root_positions));
  result["root_mass"] = array_of(std::move(figures.root_mass));
  return result;
}

nb::dict partition(const TrieIndex& index, const std::string& rule) {
  std::vector<Index> begins, first_rows;
  agpt::PartitionFigures figures;
  {
    nb::gil_scoped_release release;
    begins = agpt::partition_nodes(index, agpt::PartitionRule::parse(rule));
    figures = agpt::measure_partition(index, begins);
    for (const Index node : begins) first_rows.push_back(index.first_row(node));
  }
  nb::dict result;
  result["first_row"] = array_of(std::move(first_rows));
  result["first_node"] = array_of(std::move(begins));
  result["positions"] = array_of(std::move(figures.positions));
  result["nodes"] = array_of(std::move(figures.nodes));
  result["mass"] = array_of(std::move(figures.mass));
  result["ancestors"] = array_of(std::move(figures.ancestors));
  return result;
}

}  // namespace

void bind_trie_profile(nb::class_<TrieIndex>& index) {
  index
      .def("profile", &profile, nb::sig("def profile(self) -> dict[str, typing.Any]"),
           "Figures by depth (element k - 1 is depth k), by root child, and of the whole.")
      .def("partition", &partition, "rule"_a,
           nb::sig("def partition(self, rule: str) -> dict[str, numpy.typing.NDArray[numpy.int64]]"),
           "Cuts the index into units of neighbouring nodes: 'unigram', 'bigram', 'ngram=N' (what lies below each path "
           "of "
           "N tokens), or 'balanced=SIZE' (subtrees of first tokens, cut further until no unit has more than SIZE "
           "positions). first_node and first_row (units + 1): where each unit begins in pre-order, and the end. "
           "positions, nodes, mass and ancestors (units): its rows, endpoints, sum of masses, and the context-only "
           "rows before it.");
}
