#include "cpp/rows/row_selection.h"

#include <algorithm>
#include <cmath>

#include "cpp/base/error.h"
#include "cpp/base/random.h"

namespace agpt {
namespace {

constexpr Index kBlock = 64;  // nodes, as in the index

// Whether each token is text that holds white space. Throws ArgumentError if tokens have no text.
std::vector<bool> whitespace_tokens(const Vocabulary& vocabulary) {
  std::vector<bool> is_whitespace(static_cast<size_t>(vocabulary.size()));
  for (Token token = 0; token < static_cast<Token>(vocabulary.size()); ++token)
    is_whitespace[token] = vocabulary.decode(std::span(&token, 1)).find_first_of(" \t\n\r\v\f") != std::string::npos;
  return is_whitespace;
}

}  // namespace

void RowChoice::validate() const {
  AGPT_REQUIRE(tail_rows >= 1,
               "tail_rows is " + std::to_string(tail_rows) + ", but must be at least 1: for 0 use none");
  AGPT_REQUIRE(tail_rate > 0 && tail_rate <= 1,
               "tail_rate is " + std::to_string(tail_rate) + ", but must be above 0 and at most 1");
  AGPT_REQUIRE(max_depth >= 1, "the depth of the rows is " + std::to_string(max_depth) + ", but must be at least 1");
}

RowSelection::RowSelection(const TrieIndex& index, const RowChoice& choice, uint64_t draw)
    : index_(&index), choice_(choice), draw_(draw), n_rows_(index.n_positions()) {
  choice.validate();
  if (choice.tails == Tails::full && choice.max_depth >= index.depth()) return;
  if (choice.tails == Tails::whitespace) is_whitespace_ = whitespace_tokens(index.vocabulary());
  rows_before_block_.reserve(static_cast<size_t>(index.n_nodes() / kBlock + 2));
  SelectionWalk walk(*this, 0, 0);
  n_rows_ = 0;
  for (SelectedEdge edge; walk.next(edge);) {
    if (edge.node % kBlock == 0) rows_before_block_.push_back(n_rows_);
    n_rows_ += edge.n_selected();
  }
  rows_before_block_.push_back(n_rows_);
}

Index RowSelection::rows_before(Index node) const {
  if (node >= index_->n_nodes()) return n_rows_;
  if (is_everything()) return index_->first_row(node);
  const Index block = node / kBlock;
  SelectionWalk walk(*this, block * kBlock, rows_before_block_[static_cast<size_t>(block)]);
  SelectedEdge edge;
  while (walk.next(edge) && edge.node < node) {
  }
  return edge.first_selected;
}

Index RowSelection::node_of_row(Index row) const {
  if (is_everything()) return index_->node_of_row(row);
  const auto above = std::upper_bound(rows_before_block_.begin(), rows_before_block_.end(), row);
  const Index block = above - rows_before_block_.begin() - 1;
  SelectionWalk walk(*this, block * kBlock, rows_before_block_[static_cast<size_t>(block)]);
  SelectedEdge edge;
  while (walk.next(edge) && edge.first_selected + edge.n_selected() <= row) {
  }
  return edge.node;
}

bool RowSelection::is_drawn(Index node) const {
  const uint64_t bits = mix_bits(draw_ ^ mix_bits(static_cast<uint64_t>(node)));
  return static_cast<double>(bits >> 11) < choice_.tail_rate * 0x1p53;
}

int RowSelection::whitespace_depth(const TrieEdge& edge, int tail_depth) const {
  int depth = tail_depth;
  while (depth < edge.depth && !is_whitespace_[index_->token(edge.text + depth - 1)]) ++depth;
  return depth;
}

int RowSelection::last_depth(const TrieEdge& edge, int tail_depth) const {
  int depth = edge.depth;
  if (tail_depth <= edge.depth) {
    switch (choice_.tails) {
      case Tails::full:
        break;
      case Tails::first:
        depth = std::min(depth, tail_depth - 1 + choice_.tail_rows);
        break;
      case Tails::whitespace:
        depth = whitespace_depth(edge, tail_depth);
        break;
      case Tails::none:
        depth = tail_depth - 1;
        break;
      case Tails::sampled:
        if (!is_drawn(edge.node)) depth = tail_depth - 1;
        break;
    }
  }
  return std::max(edge.parent_depth, std::min(depth, choice_.max_depth));
}

SelectionWalk::SelectionWalk(const RowSelection& selection, Index first_node)
    : SelectionWalk(selection, first_node, selection.rows_before(first_node)) {}

bool SelectionWalk::next(SelectedEdge& edge) {
  if (!walk_.next(edge)) return false;
  edge.first_selected = row_;
  edge.tail_depth = edge.depth + 1;
  if (edge.mass == 1) {  // rows above the end of a start that ran out of text have more
    edge.tail_depth = edge.parent_depth + 1;
    while (edge.tail_depth < edge.depth && walk_.row_mass(edge.tail_depth) > 1) ++edge.tail_depth;
  }
  edge.last_depth = selection_->last_depth(edge, edge.tail_depth);
  row_ += edge.n_selected();
  return true;
}

}  // namespace agpt
