#include "cpp/rows/row_batch.h"

#include <doctest/doctest.h>

#include <set>

#include "cpp/base/random.h"
#include "cpp/rows/window_rows.h"
#include "tests/cpp/train/model_cases.h"

namespace agpt::test {
namespace {

std::set<int32_t> path_of(const RowBatch& batch, int32_t row) {
  std::set<int32_t> path;
  for (; row >= 0; row = batch.parent[static_cast<size_t>(row)]) path.insert(row);
  return path;
}

void check_tiles(RowBatch batch, int tile_rows) {
  build_tiles(batch, tile_rows);
  int32_t next_row = 0;
  for (const Tile& tile : batch.tiles) {
    CHECK(tile.first_row == next_row);
    CHECK(tile.n_rows >= 1);
    CHECK(tile.n_rows <= tile_rows);
    const bool straddles =
        tile.first_row < batch.n_leading_ghosts && tile.first_row + tile.n_rows > batch.n_leading_ghosts;
    CHECK_FALSE(straddles);
    for (int32_t i = 0; i < tile.n_rows; ++i) {
      std::multiset<int32_t> seen;
      for (int32_t k = tile.key_begin; k < tile.key_end; ++k)
        if ((batch.key_mask[static_cast<size_t>(k)] >> i & 1) != 0) seen.insert(batch.key_row[static_cast<size_t>(k)]);
      const std::set<int32_t> path = path_of(batch, tile.first_row + i);
      CHECK(seen == std::multiset<int32_t>(path.begin(), path.end()));
    }
    for (int32_t k = tile.key_begin; k < tile.key_end; ++k)
      if (tile.n_rows < 64) CHECK((batch.key_mask[static_cast<size_t>(k)] >> tile.n_rows) == 0);
    next_row += tile.n_rows;
  }
  CHECK(next_row == batch.n_rows());
  if (batch.n_leading_ghosts < batch.n_rows())
    CHECK(batch.tiles[static_cast<size_t>(batch.first_scored_tile)].first_row == batch.n_leading_ghosts);
}

TEST_CASE("a tile's row sees exactly its ancestors and itself, each once, in every kind of forest") {
  ModelConfig config = small_config({8});
  for (const Shape shape : {Shape::random, Shape::chain, Shape::star, Shape::windows})
    for (const int n_rows : {0, 1, 2, 7, 8, 9, 31, 32, 33, 64, 65, 200})
      for (const int tile_rows : {1, 4, 16, 64})
        check_tiles(random_forest(shape, n_rows, n_rows > 10 ? 6 : 0, config, 11), tile_rows);
}

TEST_CASE("tiles are right in any order that puts parents first") {
  Random random(3);
  for (const int n_rows : {2, 9, 33, 100})
    for (const int tile_rows : {1, 4, 16, 64}) {
      RowBatch batch;
      for (int row = 0; row < n_rows; ++row) {
        const auto parent = static_cast<int32_t>(random.below(static_cast<uint64_t>(row) + 1)) - 1;
        batch.begin_row(0, parent < 0 ? 0 : batch.position[static_cast<size_t>(parent)] + 1, parent);
        if (row >= n_rows / 2) batch.add_target(0, 1);
        batch.end_row();
      }
      check_tiles(batch, tile_rows);
    }
}

TEST_CASE("a window is a chain whose rows predict the token behind them") {
  RowBatch batch;
  const std::vector<Token> tokens = {3, 1, 4, 1, 5};
  const auto token_at = [&](Index i) { return tokens[static_cast<size_t>(i)]; };
  append_window_rows(token_at, 4, batch);
  append_window_rows(token_at, 4, batch, 2);
  CHECK(batch.token == std::vector<int32_t>{3, 1, 4, 1, 3, 1, 4, 1});
  CHECK(batch.parent == std::vector<int32_t>{-1, 0, 1, 2, -1, 4, 5, 6});
  CHECK(batch.position == std::vector<int32_t>{0, 1, 2, 3, 0, 1, 2, 3});
  CHECK(batch.target_token == std::vector<int32_t>{1, 4, 1, 5, 1, 5});
  CHECK(batch.weight == std::vector<double>{1, 1, 1, 1, 0, 0, 1, 1});
  CHECK(batch.n_positions == 6);
  CHECK(batch.total_weight == 6);
}

}  // namespace
}  // namespace agpt::test
