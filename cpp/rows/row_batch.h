// A batch of rows in pre-order, whatever they came from: a range of a trie, windows of text, documents. The one format
// that the walker, the kernels and the loss know.
#pragma once

#include <span>
#include <vector>

#include "cpp/base/tile.h"
#include "cpp/base/types.h"
#include "cpp/trie/token_count.h"

namespace agpt {

/// What filling a batch needs meanwhile. It stays with the batch, so that filling it again takes no memory.
struct RowWorkspace {
  std::vector<int32_t> row_at_depth, key_at_depth;
  std::vector<TokenCount> targets;
  std::vector<Token> path;
};

/// Rows are nodes of a forest in depth-first pre-order. A ghost row has weight 0 and no targets: it is there because
/// rows of the batch attend to it, and gradients flow through it unless the batch says that they do not.
struct RowBatch {
  std::vector<int32_t> token;               // the token that the row reads
  std::vector<int32_t> position;            // depth - 1; roots have 0
  std::vector<int32_t> parent;              // row of the parent, -1 for roots
  std::vector<double> weight;               // sum of the row's target weights
  std::vector<int32_t> target_begin = {0};  // (rows + 1)
  std::vector<int32_t> target_token;
  std::vector<double> target_weight;
  Index n_positions = 0;    // rows that have targets
  double total_weight = 0;  // sum of weight
  /// The keys and values of ghost rows are constants: no gradient flows into them.
  bool ghosts_are_constant = false;

  // Filled by build_tiles().
  std::vector<Tile> tiles;
  std::vector<int32_t> key_row;
  std::vector<uint64_t> key_mask;
  Index n_leading_ghosts = 0;   // ghost rows before the first row with targets; a tile ends there
  Index first_scored_tile = 0;  // the tile that begins at row n_leading_ghosts

  RowWorkspace workspace;  // says nothing about the rows

  Index n_rows() const { return static_cast<Index>(token.size()); }
  bool is_ghost(Index row) const {
    return target_begin[static_cast<size_t>(row)] == target_begin[static_cast<size_t>(row) + 1];
  }

  void clear();
  /// Removes the rows from `rows` on; none has targets.
  void keep_first(Index rows);
  /// Appends a row and returns its number. Its targets are those added with add_target() before end_row().
  int32_t begin_row(Token row_token, int32_t row_position, int32_t row_parent);
  void add_target(Token target, double target_mass);
  void end_row();
  /// Appends ghost rows that read `tokens`, each below the one before it, the first below row `parent` (-1: it is a
  /// root). Returns the last row of the chain, `parent` where there is no token.
  template <class Id>
  int32_t append_ghosts(std::span<const Id> tokens, int32_t parent);
};

template <class Id>
int32_t RowBatch::append_ghosts(std::span<const Id> tokens, int32_t parent) {
  const size_t first = token.size(), end = first + tokens.size();
  int32_t next_position = parent < 0 ? 0 : position[static_cast<size_t>(parent)] + 1;
  token.insert(token.end(), tokens.begin(), tokens.end());
  position.resize(end);
  this->parent.resize(end);
  weight.resize(end);
  target_begin.resize(end + 1, static_cast<int32_t>(target_token.size()));
  for (size_t row = first; row < end; ++row) {
    position[row] = next_position++;
    this->parent[row] = parent;
    parent = static_cast<int32_t>(row);
  }
  if (n_positions == 0) n_leading_ghosts += static_cast<Index>(tokens.size());
  return parent;
}

/// Cuts the rows into tiles of at most `tile_rows` (<= 64) and lists the keys of each: the rows on the path to its
/// first row, then its own rows; bit i of a key's mask says that the tile's row i descends from it (or is it). The rows
/// may be in any order that puts parents first. In pre-order an ancestor that lies before a tile is an ancestor of the
/// tile's first row too, so all tiles but the last are full; in another order a tile ends before a row of another path.
/// Rows before `begin` get no tile; they can be keys.
void build_tiles(RowBatch& batch, int tile_rows, Index begin = 0);

}  // namespace agpt
