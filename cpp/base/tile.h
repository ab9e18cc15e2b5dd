// The unit of attention, shared by those who cut rows into tiles and those who compute them.
#pragma once

#include <cstdint>

namespace agpt {

/// Queries that share one list of keys: `n_rows` consecutive rows from `first_row`, and the keys [key_begin, key_end).
struct Tile {
  int32_t first_row = 0, n_rows = 0, key_begin = 0, key_end = 0;
};

}  // namespace agpt
