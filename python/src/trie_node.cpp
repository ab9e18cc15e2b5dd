// Bindings of the nodes of an index: a handle to walk the tree with, and all nodes as arrays.
#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include "cpp/base/error.h"
#include "cpp/trie/trie_queries.h"
#include "cpp/trie/trie_walk.h"
#include "python/src/arrays.h"
#include "python/src/trie_index.h"

using namespace nb::literals;

namespace {

using agpt::Index;
using agpt::TrieIndex;

/// A node of an index that it keeps alive; id -1 is the root.
class Node {
 public:
  Node(nb::object index, Index id) : owner_(std::move(index)), id_(id) {}

  const TrieIndex& index() const { return nb::cast<const TrieIndex&>(owner_); }
  Index id() const { return id_; }
  bool is_root() const { return id_ < 0; }
  Node other(Index id) const { return {owner_, id}; }
  bool operator==(const Node& node) const { return id_ == node.id_ && owner_.is(node.owner_); }

  int depth() const { return is_root() ? 0 : index().depth(id_); }
  int parent_depth() const { return is_root() ? 0 : index().parent_depth(id_); }
  Index mass() const { return is_root() ? index().n_starts() : index().mass(id_); }
  /// Tokens begin .. depth() of the path.
  OwnedArray<agpt::Token> tokens_from(int begin) const {
    const std::vector<agpt::Token> path = agpt::path_of(index(), id_);
    return array_of(std::vector<agpt::Token>(path.begin() + begin, path.end()));
  }
  std::optional<Node> parent() const {
    if (is_root()) return std::nullopt;
    return other(agpt::parent_of(index(), id_));
  }
  std::vector<Node> children() const {
    std::vector<Node> nodes;
    for (const Index child : agpt::children_of(index(), id_)) nodes.push_back(other(child));
    return nodes;
  }
  nb::dict next_counts() const {
    std::vector<agpt::TokenCount> targets;
    index().targets_at({id_, depth()}, targets);
    nb::dict counts;
    for (const agpt::TokenCount& target : targets) counts[nb::int_(target.token)] = target.count;
    return counts;
  }

 private:
  nb::object owner_;
  Index id_;
};

Node node_of(nb::object index, Index id) {
  const Index n = nb::cast<const TrieIndex&>(index).n_nodes();
  AGPT_REQUIRE(id >= -1 && id < n,
               "there is no node " + std::to_string(id) + ": ids are from -1, the root, to " + std::to_string(n - 1));
  return {std::move(index), id};
}

std::optional<Node> find(nb::object index, nb::handle tokens) {
  const std::vector<agpt::Token> path = tokens_of(tokens);
  const TrieIndex::Place place = nb::cast<const TrieIndex&>(index).locate(path);
  if (static_cast<size_t>(place.depth) < path.size()) return std::nullopt;
  return Node(std::move(index), place.node);
}

nb::dict node_table(const TrieIndex& index, Index begin, std::optional<Index> end) {
  const Index last = end.value_or(index.n_nodes());
  AGPT_REQUIRE(begin >= 0 && begin <= last && last <= index.n_nodes(),
               "the nodes from " + std::to_string(begin) + " to " + std::to_string(last) +
                   " are no range of this index, which has " + std::to_string(index.n_nodes()));
  std::vector<Index> first_row, text, mass, subtree_end;
  std::vector<int32_t> parent_depth, depth;
  {
    nb::gil_scoped_release release;
    agpt::TrieWalk walk(index, begin);
    agpt::TrieEdge edge;
    Index row = index.first_row(begin);
    for (Index node = begin; node < last && walk.next(edge); ++node) {
      first_row.push_back(row);
      row += edge.depth - edge.parent_depth;
      parent_depth.push_back(edge.parent_depth);
      depth.push_back(edge.depth);
      text.push_back(edge.text);
      mass.push_back(edge.mass);
      subtree_end.push_back(index.subtree_end(node));
    }
  }
  nb::dict table;
  table["first_row"] = array_of(std::move(first_row));
  table["parent_depth"] = array_of(std::move(parent_depth));
  table["depth"] = array_of(std::move(depth));
  table["text"] = array_of(std::move(text));
  table["mass"] = array_of(std::move(mass));
  table["subtree_end"] = array_of(std::move(subtree_end));
  return table;
}

}  // namespace

void bind_trie_nodes(nb::module_& m, nb::class_<TrieIndex>& index) {
  nb::class_<Node>(m, "TrieNode", "A node of an index: an endpoint, where paths part or end, or the root.")
      .def_prop_ro("id", &Node::id, "Number in pre-order; -1 for the root.")
      .def_prop_ro("is_root", &Node::is_root)
      .def_prop_ro("depth", &Node::depth, "Tokens of the path.")
      .def_prop_ro("parent_depth", &Node::parent_depth, "Tokens of the path before the edge.")
      .def_prop_ro("mass", &Node::mass, "Starts that run through the endpoint and are followed by something.")
      .def_prop_ro(
          "path", [](const Node& self) { return self.tokens_from(0); }, nb::rv_policy::move,
          nb::for_getter(nb::sig("def path(self) -> numpy.typing.NDArray[numpy.uint32]")), "Tokens from the root.")
      .def_prop_ro(
          "edge", [](const Node& self) { return self.tokens_from(self.parent_depth()); }, nb::rv_policy::move,
          nb::for_getter(nb::sig("def edge(self) -> numpy.typing.NDArray[numpy.uint32]")), "Tokens from the parent.")
      .def_prop_ro("parent", &Node::parent, "None for the root.")
      .def_prop_ro("children", &Node::children, "The nodes right below, in token order.")
      .def("next_counts", &Node::next_counts, nb::sig("def next_counts(self) -> dict[int, int]"),
           "What follows the endpoint, token by token, and how often.")
      .def(
          "__eq__", [](const Node& self, const Node& node) { return self == node; }, nb::is_operator())
      .def("__hash__", [](const Node& self) { return self.id(); })
      .def("__repr__", [](const Node& self) {
        return "TrieNode(id=" + std::to_string(self.id()) + ", depth=" + std::to_string(self.depth()) +
               ", mass=" + std::to_string(self.mass()) + ")";
      });
  index
      .def_prop_ro(
          "root", [](nb::object self) { return Node(std::move(self), -1); },
          nb::for_getter(nb::sig("def root(self) -> TrieNode")), "Where paths begin.")
      .def("node", &node_of, "id"_a, nb::sig("def node(self, id: int) -> TrieNode"), "The node with that number.")
      .def("find", &find, "tokens"_a, nb::sig("def find(self, tokens: numpy.typing.ArrayLike) -> TrieNode | None"),
           "The node whose edge this path ends on (its own path may be longer); None if the path does not occur.")
      .def("node_table", &node_table, "begin"_a = 0, "end"_a.none() = nb::none(),
           nb::sig("def node_table(self, begin: int = 0, end: int | None = None) -> dict[str, "
                   "numpy.typing.NDArray[typing.Any]]"),
           "The nodes begin .. end in pre-order as arrays: first_row (of the edge), parent_depth, depth, text (where "
           "the "
           "path begins in `tokens`), mass (of the endpoint) and subtree_end (one past the last node below).");
}
