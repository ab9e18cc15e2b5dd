#include "cpp/rows/row_batch.h"

#include <algorithm>

#include "cpp/base/error.h"

namespace agpt {

void RowBatch::clear() {
  token.clear();
  position.clear();
  parent.clear();
  weight.clear();
  target_begin.assign(1, 0);
  target_token.clear();
  target_weight.clear();
  n_positions = 0;
  total_weight = 0;
  ghosts_are_constant = false;
  tiles.clear();
  key_row.clear();
  key_mask.clear();
  n_leading_ghosts = first_scored_tile = 0;
}

void RowBatch::keep_first(Index rows) {
  const auto n = static_cast<size_t>(rows);
  token.resize(n);
  position.resize(n);
  parent.resize(n);
  weight.resize(n);
  target_begin.resize(n + 1);
}

int32_t RowBatch::begin_row(Token row_token, int32_t row_position, int32_t row_parent) {
  token.push_back(static_cast<int32_t>(row_token));
  position.push_back(row_position);
  parent.push_back(row_parent);
  weight.push_back(0);
  return static_cast<int32_t>(token.size()) - 1;
}

void RowBatch::add_target(Token target, double target_mass) {
  target_token.push_back(static_cast<int32_t>(target));
  target_weight.push_back(target_mass);
  weight.back() += target_mass;
}

void RowBatch::end_row() {
  const auto end = static_cast<int32_t>(target_token.size());
  if (end > target_begin.back()) {
    ++n_positions;
    total_weight += weight.back();
  } else if (n_positions == 0) {
    ++n_leading_ghosts;
  }
  target_begin.push_back(end);
}

namespace {

// The rows of a tile that see a key follow one another: they begin with the tile or the key's own row and end before
// the first row that leaves its path.
class TileBuilder {
 public:
  TileBuilder(RowBatch& batch, int tile_rows)
      : batch_(batch),
        tile_rows_(tile_rows),
        n_rows_(static_cast<int32_t>(batch.n_rows())),
        n_ghosts_(static_cast<int32_t>(batch.n_leading_ghosts)),
        key_at_depth_(batch.workspace.key_at_depth) {}

  void build(int32_t begin) {
    batch_.tiles.clear();
    batch_.key_row.clear();
    batch_.key_mask.clear();
    for (int32_t first = begin; first < n_rows_; first += batch_.tiles.back().n_rows) {
      if (first == n_ghosts_) batch_.first_scored_tile = static_cast<Index>(batch_.tiles.size());
      add_tile(first);
    }
    if (n_ghosts_ == n_rows_) batch_.first_scored_tile = static_cast<Index>(batch_.tiles.size());
  }

 private:
  size_t depth_of(int32_t row) const { return static_cast<size_t>(batch_.position[static_cast<size_t>(row)]); }
  int32_t parent_of(int32_t row) const { return batch_.parent[static_cast<size_t>(row)]; }
  int32_t& row_at_depth(size_t depth) { return batch_.key_row[static_cast<size_t>(key_at_depth_[depth])]; }

  bool continues_path(int32_t row) {
    const size_t depth = depth_of(row);
    return depth == 0 || (depth <= path_length_ && row_at_depth(depth - 1) == parent_of(row));
  }

  void add_tile(int32_t first) {
    const auto key_begin = static_cast<int32_t>(batch_.key_row.size());
    int32_t limit = std::min(first + tile_rows_, n_rows_);
    if (first < n_ghosts_) limit = std::min(limit, n_ghosts_);
    const size_t most_keys = batch_.key_row.size() + depth_of(first) + static_cast<size_t>(limit - first);
    batch_.key_row.resize(most_keys);
    batch_.key_mask.resize(most_keys);
    list_path_to(first, key_begin);
    int32_t key_end = key_begin + static_cast<int32_t>(path_length_), end = first;
    for (; end < limit && (end == first || continues_path(end)); ++end) {
      const size_t depth = depth_of(end);
      see_keys_until(end, depth, first);
      path_length_ = depth + 1;
      if (key_at_depth_.size() < path_length_) key_at_depth_.resize(path_length_);
      key_at_depth_[depth] = key_end;
      batch_.key_row[static_cast<size_t>(key_end++)] = end;
    }
    see_keys_until(end, 0, first);
    batch_.key_row.resize(static_cast<size_t>(key_end));
    batch_.key_mask.resize(static_cast<size_t>(key_end));
    batch_.tiles.push_back({first, end - first, key_begin, key_end});
  }

  // The ancestors of a row become keys from key_begin on. Where the path before leads to it, it has them already.
  void list_path_to(int32_t row, int32_t key_begin) {
    const size_t n_above = depth_of(row);
    const bool is_known = continues_path(row);
    if (key_at_depth_.size() < n_above) key_at_depth_.resize(n_above);
    int32_t ancestor = parent_of(row);
    for (size_t depth = n_above; depth-- > 0;) {
      const int32_t key = key_begin + static_cast<int32_t>(depth);
      batch_.key_row[static_cast<size_t>(key)] = is_known ? row_at_depth(depth) : ancestor;
      if (!is_known) ancestor = parent_of(ancestor);
      key_at_depth_[depth] = key;
    }
    path_length_ = n_above;
  }

  // The keys of the path from `depth` on are seen by the tile's rows before `row`, or those behind themselves.
  void see_keys_until(int32_t row, size_t depth, int32_t first) {
    const auto below = [](int32_t n) { return n == 64 ? ~uint64_t{0} : (uint64_t{1} << n) - 1; };
    for (; depth < path_length_; ++depth)
      batch_.key_mask[static_cast<size_t>(key_at_depth_[depth])] =
          below(row - first) & ~below(std::max(row_at_depth(depth), first) - first);
  }

  RowBatch& batch_;
  const int32_t tile_rows_, n_rows_, n_ghosts_;
  std::vector<int32_t>& key_at_depth_;  // key number of the current path, by position
  size_t path_length_ = 0;
};

}  // namespace

void build_tiles(RowBatch& batch, int tile_rows, Index begin) {
  AGPT_REQUIRE(tile_rows >= 1 && tile_rows <= 64, "tiles have from 1 to 64 rows");
  TileBuilder(batch, tile_rows).build(static_cast<int32_t>(begin));
}

}  // namespace agpt
