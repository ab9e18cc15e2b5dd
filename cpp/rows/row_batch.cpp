#include "cpp/rows/row_batch.h"

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

void build_tiles(RowBatch& batch, int tile_rows, Index begin) {
  AGPT_REQUIRE(tile_rows >= 1 && tile_rows <= 64, "tiles have from 1 to 64 rows");
  batch.tiles.clear();
  batch.key_row.clear();
  batch.key_mask.clear();
  const auto n_rows = static_cast<int32_t>(batch.n_rows()), n_ghosts = static_cast<int32_t>(batch.n_leading_ghosts);
  std::vector<int32_t>& key_at_depth = batch.workspace.key_at_depth;  // key number of the current path, by position
  const auto continues_path = [&](int32_t row, size_t depth) {
    const auto before = static_cast<size_t>(batch.position[static_cast<size_t>(row) - 1]);
    return depth <= before + 1 &&
           batch.key_row[static_cast<size_t>(key_at_depth[depth - 1])] == batch.parent[static_cast<size_t>(row)];
  };
  for (auto first = static_cast<int32_t>(begin), end = first; first < n_rows; first = end) {
    end = std::min(first + tile_rows, n_rows);
    if (first < n_ghosts) end = std::min(end, n_ghosts);
    if (first == n_ghosts) batch.first_scored_tile = static_cast<Index>(batch.tiles.size());
    const auto key_begin = static_cast<int32_t>(batch.key_row.size());
    const int32_t n_above = batch.position[static_cast<size_t>(first)];
    batch.key_row.resize(static_cast<size_t>(key_begin + n_above));
    batch.key_mask.resize(static_cast<size_t>(key_begin + n_above), 0);
    key_at_depth.resize(std::max(key_at_depth.size(), static_cast<size_t>(n_above)));
    int32_t ancestor = batch.parent[static_cast<size_t>(first)];
    for (int32_t depth = n_above; depth-- > 0; ancestor = batch.parent[static_cast<size_t>(ancestor)]) {
      batch.key_row[static_cast<size_t>(key_begin + depth)] = ancestor;
      key_at_depth[static_cast<size_t>(depth)] = key_begin + depth;
    }
    for (int32_t row = first; row < end; ++row) {
      const auto depth = static_cast<size_t>(batch.position[static_cast<size_t>(row)]);
      if (row > first && depth > 0 && !continues_path(row, depth)) {
        end = row;
        break;
      }
      key_at_depth.resize(std::max(key_at_depth.size(), depth + 1));
      key_at_depth[depth] = static_cast<int32_t>(batch.key_row.size());
      batch.key_row.push_back(row);
      batch.key_mask.push_back(0);
      const uint64_t bit = uint64_t{1} << (row - first);
      for (size_t d = 0; d <= depth; ++d) batch.key_mask[static_cast<size_t>(key_at_depth[d])] |= bit;
    }
    batch.tiles.push_back({first, end - first, key_begin, static_cast<int32_t>(batch.key_row.size())});
  }
  if (n_ghosts == n_rows) batch.first_scored_tile = static_cast<Index>(batch.tiles.size());
}

}  // namespace agpt
