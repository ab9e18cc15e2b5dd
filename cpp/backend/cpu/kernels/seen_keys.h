// Which keys of a tile a few of its rows see.
#pragma once

#include "cpp/backend/cpu/kernels/simd.h"

namespace agpt::AGPT_KERNELS_NAMESPACE {

// Numbers of the keys that some of a few rows see, and of few others: the first of the path, and own keys of the tile.
struct SeenKeys {
  int path_end, own_begin, own_end;
};
inline SeenKeys keys_seen_by(int first, int end, const uint64_t* masks, const Tile& tile) {
  const int n_path = tile.key_end - tile.key_begin - tile.n_rows;
  const uint64_t rows = (uint64_t{1} << end) - (uint64_t{1} << first);
  SeenKeys seen = {n_path, n_path, n_path + end};
  while (seen.path_end > 0 && (masks[seen.path_end - 1] & rows) == 0) --seen.path_end;
  while ((masks[seen.own_begin] & rows) == 0) ++seen.own_begin;  // ends: a row sees its own key
  return seen;
}

}  // namespace agpt::AGPT_KERNELS_NAMESPACE
