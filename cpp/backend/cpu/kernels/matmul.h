// Register-blocked matrix products. B is packed in panels of kPanelVectors vectors of columns, so that the inner loop
// reads it contiguously; a block of rows x panel of C lives in registers. The last panel may be narrower.
#pragma once

#include "cpp/backend/cpu/kernels/activation.h"
#include "cpp/backend/cpu/kernels/simd.h"
#include "cpp/backend/cpu/kernels/zeros.h"

namespace agpt::AGPT_KERNELS_NAMESPACE {

// Blocking by the number of vector registers: 32 with AVX-512, 16 otherwise.
#if AGPT_VECTOR_BYTES == 64
constexpr int kPanelVectors = 4;
constexpr int kAccumulators = 24;
#elif AGPT_VECTOR_BYTES == 32
constexpr int kPanelVectors = 2;
constexpr int kAccumulators = 12;
#else
constexpr int kPanelVectors = 2;
constexpr int kAccumulators = 8;
#endif
constexpr int rows_in_registers(int vectors) {
  const int rows = kAccumulators / vectors;
  return rows > 8 ? 8 : rows;
}

constexpr Index kDepthBlock = 64;    // rows of B in a slice: one panel's slice stays in the first-level cache
constexpr Index kLongestDepth = 96;  // a shorter sum is not cut
constexpr Index kRowBlock = 96;      // rows of A that stay in cache over all panels

template <class Real>
constexpr Index kPanelWidth = kPanelVectors * kLanes<Real>;

template <class Real>
Index packed_size(Index k, Index n) {
  return k * ((n + kLanes<Real> - 1) / kLanes<Real> * kLanes<Real>);
}

// One panel, of `used` columns: packed[i * width + j] = b[i * row_step + j * column_step] over k rows, and zeros for the
// columns from `used` to `width`. Rows of B are contiguous:
template <class Real>
inline void pack_rows(const Real* b, Index row_step, Index k, Index used, Index width, Real* packed) {
  constexpr Index kWidth = kLanes<Real>;
  for (Index i = 0; i < k; ++i, b += row_step, packed += width) {
    Index j = 0;
    for (; j + kWidth <= used; j += kWidth) store(packed + j, load(b + j));
    if (j < used) store(packed + j, load_first(b + j, used - j));
  }
}
// Columns of B are contiguous:
template <class Real>
inline void pack_columns(const Real* b, Index column_step, Index k, Index used, Index width, Real* packed) {
  constexpr Index kWidth = kLanes<Real>;
  for (Index first = 0; first < used; first += kWidth, b += kWidth * column_step, packed += kWidth)
    for (Index i = 0; i < k; i += kWidth) {
      const Index rows = k - i < kWidth ? k - i : kWidth, columns = used - first < kWidth ? used - first : kWidth;
      Vector<Real> square[kWidth];
      if (columns == kWidth && rows == kWidth) {
        AGPT_UNROLL
        for (Index j = 0; j < kWidth; ++j) square[j] = load(b + i + j * column_step);
      } else {
        for (Index j = 0; j < kWidth; ++j)
          square[j] = j < columns ? load_first(b + i + j * column_step, rows) : Vector<Real>{};
      }
      transpose<Real>(square);
      if (rows == kWidth) {
        AGPT_UNROLL
        for (Index j = 0; j < kWidth; ++j) store(packed + (i + j) * width, square[j]);
      } else {
        for (Index j = 0; j < rows; ++j) store(packed + (i + j) * width, square[j]);
      }
    }
}

template <class Real>
void pack_panels(const Real* b, Index row_step, Index column_step, Index k, Index n, Real* packed) {
  for (Index first = 0; first < n; first += kPanelWidth<Real>) {
    const Index used = n - first < kPanelWidth<Real> ? n - first : kPanelWidth<Real>;
    const Index width = (used + kLanes<Real> - 1) / kLanes<Real> * kLanes<Real>;
    const Real* panel = b + first * column_step;
    if (column_step == 1)
      pack_rows(panel, row_step, k, used, width, packed);
    else
      pack_columns(panel, column_step, k, used, width, packed);
    packed += k * width;
  }
}

template <class Real>
struct BlockArgs {
  const Real* a;
  Index a_stride, depth;
  const uint64_t* nonzero;  // where zeros are left out: for each row, which of its numbers are not 0
  const Real* b;            // slice of a panel
  Index panel_step;         // where zeros are left out: from there to that of the next panel
  const Real* bias;         // null: start from 0
  const Real* residual;     // null: nothing is added; c itself to accumulate
  Index residual_stride;
  Real* c;
  Index c_stride;
  bool is_relu;                    // negative numbers become 0
  const Real* relu_output;         // null, or numbers become 0 where it is 0
  const MatmulArgs<Real>* finish;  // null, or what is to be done with the whole block once it is stored
  Real* other;                     // the block of m.other
  Index other_stride;
};

// Adds a row of A times slices of panels of B, which lie panel_step apart, to the sums, leaving zeros out; the same bits.
template <class Real, int kVectors>
inline void multiply_nonzeros(const Real* a, uint64_t nonzero, const Real* b, Index panel_step, Vector<Real>* sum) {
  constexpr int kWidth = kLanes<Real>;
  for (uint64_t left = nonzero; left != 0; left &= left - 1) {
    const Index k = __builtin_ctzll(left);
    const Vector<Real> x = broadcast<Real>(a[k]);
    const Real* row = b + k * kPanelWidth<Real>;
    AGPT_UNROLL
    for (int j = 0; j < kVectors; ++j)
      sum[j] += x * load(row + j / kPanelVectors * panel_step + j % kPanelVectors * kWidth);
  }
}

template <class Real, int kRows, int kVectors, bool kSkipsZeros = false>
inline void multiply_block(const BlockArgs<Real>& args) {
  constexpr int kWidth = kLanes<Real>;
  Vector<Real> sum[kRows][kVectors];
  AGPT_UNROLL
  for (int j = 0; j < kVectors; ++j) {
    const Vector<Real> start = args.bias != nullptr ? load(args.bias + j * kWidth) : Vector<Real>{};
    AGPT_UNROLL
    for (int i = 0; i < kRows; ++i) sum[i][j] = start;
  }
  const Real *a = args.a, *b = args.b;
  const Index a_stride = args.a_stride;
  if constexpr (kSkipsZeros) multiply_nonzeros<Real, kVectors>(a, *args.nonzero, b, args.panel_step, sum[0]);
  for (Index k = 0; k < args.depth && !kSkipsZeros; ++k, b += kVectors * kWidth) {
    Vector<Real> columns[kVectors];
    AGPT_UNROLL
    for (int j = 0; j < kVectors; ++j) columns[j] = load(b + j * kWidth);
    AGPT_UNROLL
    for (int i = 0; i < kRows; ++i) {
      const Vector<Real> x = broadcast<Real>(a[i * a_stride + k]);
      AGPT_UNROLL
      for (int j = 0; j < kVectors; ++j) sum[i][j] += x * columns[j];
    }
  }
  const auto for_each = [&](auto change) {
    AGPT_UNROLL
    for (int i = 0; i < kRows; ++i) AGPT_UNROLL
    for (int j = 0; j < kVectors; ++j) change(sum[i][j], i, j * kWidth);
  };
  const Vector<Real> zero{};
  if (args.residual != nullptr)
    for_each([&](Vector<Real>& v, int i, int j) { v += load(args.residual + i * args.residual_stride + j); });
  if (args.is_relu) for_each([&](Vector<Real>& v, int, int) { v = larger<Real>(v, zero); });
  if (args.relu_output != nullptr)
    for_each([&](Vector<Real>& v, int i, int j) {
      v = load(args.relu_output + i * args.other_stride + j) > zero ? v : zero;
    });
  for_each([&](Vector<Real>& v, int i, int j) { store(args.c + i * args.c_stride + j, v); });
  if (args.finish != nullptr) finish_block(*args.finish, kRows, kVectors * kWidth, args.c, args.other);
}

template <class Real, int kVectors, int kRows>
inline void multiply_last_rows(Index rows, const BlockArgs<Real>& args) {
  if constexpr (kRows > 0) {
    if (rows == kRows)
      multiply_block<Real, kRows, kVectors>(args);
    else
      multiply_last_rows<Real, kVectors, kRows - 1>(rows, args);
  }
}

template <class Real, int kVectors, bool kSkipsZeros = false>
inline void multiply_panel(Index rows, BlockArgs<Real> args) {
  constexpr int kRows = kSkipsZeros ? 1 : rows_in_registers(kVectors);
  for (; rows >= kRows; rows -= kRows) {
    multiply_block<Real, kRows, kVectors, kSkipsZeros>(args);
    args.a += kRows * args.a_stride;
    args.c += kRows * args.c_stride;
    if constexpr (kSkipsZeros) args.nonzero += kRows;
    if (args.residual != nullptr) args.residual += kRows * args.residual_stride;
    if (args.relu_output != nullptr) args.relu_output += kRows * args.other_stride;
    if (args.other != nullptr) args.other += kRows * args.other_stride;
  }
  multiply_last_rows<Real, kVectors, kRows - 1>(rows, args);
}

template <class Real, int kVectors>
inline void multiply_narrow_panel(Index vectors, Index rows, const BlockArgs<Real>& args) {
  if constexpr (kVectors > 0) {
    if (vectors == kVectors)
      multiply_panel<Real, kVectors>(rows, args);
    else
      multiply_narrow_panel<Real, kVectors - 1>(vectors, rows, args);
  }
}

// What becomes of the panel from `row` and `column` on. Of relu it is decided in registers; of the others, which need many,
// once a block is stored.
template <class Real>
inline void set_finish(const MatmulArgs<Real>& m, bool is_partial_sum, Index row, Index column,
                       BlockArgs<Real>& block) {
  block.is_relu = false;
  block.relu_output = nullptr;
  block.finish = nullptr;
  block.other = nullptr;
  block.other_stride = m.other_stride;
  if (m.finish == Finish::none || is_partial_sum) return;
  Real* other = m.other + row * m.other_stride + column;
  if (m.activation != ElementwiseActivation::relu) {
    block.finish = &m;
    block.other = other;
  } else if (m.finish == Finish::multiply_by_slope) {
    block.relu_output = other;
  } else {
    block.is_relu = true;
  }
}

// Rows and a slice of the sum from `k` on; all panels before `column` are whole.
template <class Real>
inline BlockArgs<Real> slice_of(const MatmulArgs<Real>& m, Index row, Index column, Index k, Index depth) {
  BlockArgs<Real> block;
  const Index left = m.n - column < kPanelWidth<Real> ? m.n - column : kPanelWidth<Real>;
  const Index width = (left + kLanes<Real> - 1) / kLanes<Real> * kLanes<Real>;
  block.a = m.a + row * m.a_stride + k;
  block.a_stride = m.a_stride;
  block.depth = depth;
  block.b = m.packed + m.k * column + k * width;
  block.panel_step = m.k * kPanelWidth<Real>;
  block.bias = k == 0 && m.bias != nullptr ? m.bias + column : nullptr;
  block.c = m.c + row * m.c_stride + column;
  block.c_stride = m.c_stride;
  block.residual = k > 0 ? block.c : m.residual != nullptr ? m.residual + row * m.residual_stride + column : nullptr;
  block.residual_stride = k > 0 ? m.c_stride : m.residual_stride;
  set_finish(m, k + depth < m.k, row, column, block);
  return block;
}

// Whole panels, as many as a mask serves, of a slice of A with many zeros.
template <class Real>
inline void multiply_by_zeros(Index rows, BlockArgs<Real> block) {
  // Before the products, or each row would wait for its mask behind those of the row before it.
  uint64_t nonzero[kRowBlock];
  for (Index r = 0; r < rows; ++r) nonzero[r] = nonzeros(block.a + r * block.a_stride, block.depth);
  block.nonzero = nonzero;
  multiply_panel<Real, kVectorsOfMask, true>(rows, block);
}

template <class Real>
void matmul(const MatmulArgs<Real>& m) {
  constexpr Index kGroup = kColumnsOfMask<Real>;
  const Index depth_block = m.k > kLongestDepth ? kDepthBlock : m.k;
  for (Index row = 0; row < m.m; row += kRowBlock) {
    const Index rows = m.m - row < kRowBlock ? m.m - row : kRowBlock;
    for (Index group = 0; group < m.n; group += kGroup) {
      const bool is_whole = m.n - group > kGroup - kLanes<Real>;
      for (Index k = 0; k < m.k || k == 0; k += depth_block) {
        const Index depth = m.k - k < depth_block ? m.k - k : depth_block;
        if constexpr (kFindsZeros) {
          if (is_whole && depth <= kMaskedColumns &&
              has_many_zeros(m.a + row * m.a_stride + k, m.a_stride, rows, depth)) {
            multiply_by_zeros(rows, slice_of(m, row, group, k, depth));
            continue;
          }
        }
        const Index end = m.n - group < kGroup ? m.n : group + kGroup;
        for (Index column = group; column < end; column += kPanelWidth<Real>) {
          const Index used = end - column < kPanelWidth<Real> ? end - column : kPanelWidth<Real>;
          multiply_narrow_panel<Real, kPanelVectors>((used + kLanes<Real> - 1) / kLanes<Real>, rows,
                                                     slice_of(m, row, column, k, depth));
        }
      }
    }
  }
}

}  // namespace agpt::AGPT_KERNELS_NAMESPACE
