// Rotary positions.
#pragma once

#include "cpp/backend/backend.h"
#include "cuda/runtime/launch.h"

namespace agpt::cuda {

/// Pair i of a row is (column[i], column[i] + 1); position p turns it by the angle whose cosine and sine stand at
/// [p * n_pairs + i].
template <class Real>
struct Rotations {
  int n_pairs = 0;
  Index model_width = 0;
  const int32_t* column = nullptr;
  const Real* cosine = nullptr;
  const Real* sine = nullptr;
  bool operator==(const Rotations&) const = default;
};

/// Rotates the q and k columns of qkv (rows, 3 * model_width), in place. position and qkv begin at the first of n_rows.
template <class Real>
void rotate(const Queue& queue, const Rotations<Real>& rotations, Index n_rows, const int32_t* position, Rows<Real> qkv,
            bool inverse);

}  // namespace agpt::cuda
