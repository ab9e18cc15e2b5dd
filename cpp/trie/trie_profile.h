// Figures of an index: how many rows, endpoints and targets there are at each depth and below each first token, and how
// much of the text they share.
#pragma once

#include <vector>

#include "cpp/trie/trie_index.h"

namespace agpt {

/// Arrays by depth have depth() elements: element k - 1 is about depth k. Arrays by root child have one element for
/// each path of one token, in token order.
struct TrieProfile {
  // Rows of each depth: their number, the sum of their masses, and how many have a mass above 1.
  std::vector<Index> positions, mass, shared_positions;
  // Endpoints of each depth: their number, tokens on their edges, targets, those with one target alone.
  std::vector<Index> nodes, edge_tokens, entries, single_target_nodes;
  // Mass of the endpoints of each depth: sum, middle value (the upper of two), largest; 0 without endpoints.
  std::vector<Index> node_mass, median_node_mass, largest_node_mass;
  // Leaves whose edge begins at each depth with a path that occurs once: at that many tokens a context is unique. In a
  // running text with every start, the end of the text, which nothing follows, counts as an occurrence.
  std::vector<Index> unique_leaves;
  // Of the subtree of each root child.
  std::vector<Token> root_token;
  std::vector<Index> root_nodes, root_positions, root_mass;

  Index n_leaves = 0;
  Index n_single_leaves = 0;     // with mass 1
  Index single_leaf_tokens = 0;  // on their edges
  double sharing_ratio = 0;      // predictions of the text for each row: total mass / rows
};

TrieProfile profile_trie_index(const TrieIndex& index);

}  // namespace agpt
