// Attention of the rows of a batch to the rows on their paths, tile by tile (docs/design.md, section 5).
#pragma once

#include <vector>

#include "cpp/backend/backend.h"
#include "cuda/runtime/launch.h"

namespace agpt::cuda {

/// Rows of a tile: a warp's lanes are the queries, and a key's mask is one word.
constexpr int kTileRows = 32;
/// Widest head: eight warps of sixteen columns each.
constexpr int kWidestHead = 128;

/// One head: its first column among the columns of q, its width, its number among all heads.
struct DeviceHead {
  int32_t column = 0, width = 0, number = 0;
};

/// Heads that one launch computes: `warps` warps of `columns` columns each hold a head.
struct HeadGroup {
  int columns = 0, warps = 0, n_heads = 0, heads_per_block = 1;
  const DeviceHead* heads = nullptr;  // (n_heads), on the device
  bool operator==(const HeadGroup&) const = default;
};

/// Sorts heads into groups; `heads` of the groups point into an array of all heads at `device`, to which the returned
/// order must be copied.
std::vector<DeviceHead> group_heads(const std::vector<int>& widths, const DeviceHead* device,
                                    std::vector<HeadGroup>& groups);

/// The tiles [first_tile, first_tile + n_tiles) of a batch on the device. Tiles and keys are those of BatchView, masks cut
/// to kTileRows bits.
struct DeviceTiles {
  Index first_tile = 0, n_tiles = 0;
  Index first_row = 0;  // of the first tile
  const Tile* tiles = nullptr;
  const int32_t* key_row = nullptr;
  const uint32_t* key_mask = nullptr;
  /// (tiles) the number of keys that lie before the tiles' own rows, summed over all earlier tiles.
  const int32_t* path_begin = nullptr;
  bool operator==(const DeviceTiles&) const = default;
};

/// The heads of all launches.
struct HeadsView {
  Index model_width = 0;
  int n_heads = 0;
  const std::vector<HeadGroup>* groups = nullptr;
  bool operator==(const HeadsView&) const = default;
};

/// out = attention; saved[(row - first_row) * n_heads + head] = log of the sum of the exponentials of the scores.
template <class Real>
void attend(const Queue& queue, const HeadsView& heads, const DeviceTiles& tiles, Rows<Real> qkv, Rows<Real> out,
            Real* saved);

/// Where the gradients of keys and values go.
template <class Real>
struct KeyGradients {
  /// All keys' gradients are added to dqkv by atomics; otherwise those of the tiles' own rows are written there.
  bool by_atomics = true;
  /// (path keys, 2 * model_width): of keys before a tile's own rows, of k and then of v, in row path_begin[tile] + key.
  Real* path = nullptr;
  bool operator==(const KeyGradients&) const = default;
};

/// dqkv: q columns of the tiles' rows are written, k and v columns as `keys` says.
template <class Real>
void attend_backward(const Queue& queue, const HeadsView& heads, const DeviceTiles& tiles, Rows<Real> qkv,
                     Rows<Real> dout, const Real* saved, Rows<Real> dqkv, const KeyGradients<Real>& keys);

}  // namespace agpt::cuda
