// Gradients of weights: w (k, n) = a' y, summed over rows.
#pragma once

#include "cpp/backend/cpu/kernels/matmul.h"

namespace agpt::AGPT_KERNELS_NAMESPACE {

// Rows summed into one visit of a weight block: as many as the caches hold, and more for weights that they do not hold,
// because each visit reads and writes them all.
constexpr Index gradient_rows(Index k, Index n) { return k * n > 65536 ? 256 : 128; }

// w (kColumns of a, kVectors of y) (+)= a' y over `rows` rows, the block of w in registers.
template <class Real, int kColumns, int kVectors>
inline void accumulate_block(const Real* a, Index a_stride, const Real* y, Index y_stride, Index rows, Real* w,
                             Index w_stride, bool accumulate) {
  constexpr int kWidth = kLanes<Real>;
  Vector<Real> sum[kColumns][kVectors];
  AGPT_UNROLL
  for (int i = 0; i < kColumns; ++i) AGPT_UNROLL
  for (int j = 0; j < kVectors; ++j) sum[i][j] = accumulate ? load(w + i * w_stride + j * kWidth) : Vector<Real>{};
  for (Index r = 0; r < rows; ++r, a += a_stride, y += y_stride) {
    Vector<Real> row[kVectors];
    AGPT_UNROLL
    for (int j = 0; j < kVectors; ++j) row[j] = load(y + j * kWidth);
    AGPT_UNROLL
    for (int i = 0; i < kColumns; ++i) {
      const Vector<Real> x = broadcast<Real>(a[i]);
      AGPT_UNROLL
      for (int j = 0; j < kVectors; ++j) sum[i][j] += x * row[j];
    }
  }
  AGPT_UNROLL
  for (int i = 0; i < kColumns; ++i) AGPT_UNROLL
  for (int j = 0; j < kVectors; ++j) store(w + i * w_stride + j * kWidth, sum[i][j]);
}

template <class Real, int kVectors, int kColumns>
inline void accumulate_last_columns(Index columns, const Real* a, Index a_stride, const Real* y, Index y_stride,
                                    Index rows, Real* w, Index w_stride, bool accumulate) {
  if constexpr (kColumns > 0) {
    if (columns == kColumns)
      accumulate_block<Real, kColumns, kVectors>(a, a_stride, y, y_stride, rows, w, w_stride, accumulate);
    else
      accumulate_last_columns<Real, kVectors, kColumns - 1>(columns, a, a_stride, y, y_stride, rows, w, w_stride,
                                                            accumulate);
  }
}

template <class Real, int kVectors>
inline void accumulate_panel(Index vectors, const Real* a, Index a_stride, const Real* y, Index y_stride, Index rows,
                             Index k, Real* w, Index w_stride, bool accumulate) {
  if constexpr (kVectors > 0) {
    if (vectors != kVectors)
      return accumulate_panel<Real, kVectors - 1>(vectors, a, a_stride, y, y_stride, rows, k, w, w_stride, accumulate);
    constexpr int kColumns = rows_in_registers(kVectors);
    for (; k >= kColumns; k -= kColumns, a += kColumns, w += kColumns * w_stride)
      accumulate_block<Real, kColumns, kVectors>(a, a_stride, y, y_stride, rows, w, w_stride, accumulate);
    accumulate_last_columns<Real, kVectors, kColumns - 1>(k, a, a_stride, y, y_stride, rows, w, w_stride, accumulate);
  }
}

// One vector of columns of a, over as many rows as a mask has bits: their numbers column by column, and where they are
// not 0.
template <class Real>
struct ColumnsOfRows {
  alignas(AGPT_VECTOR_BYTES) Real value[kLanes<Real>][kMaskedColumns];
  uint64_t nonzero[kLanes<Real>];

  void take(const Real* a, Index stride, Index rows) {
    constexpr int kWidth = kLanes<Real>;
    for (int j = 0; j < kWidth; ++j) nonzero[j] = 0;
    for (Index r = 0; r < rows; r += kWidth) {
      Vector<Real> square[kWidth];
      AGPT_UNROLL
      for (Index i = 0; i < kWidth; ++i) square[i] = r + i < rows ? load(a + (r + i) * stride) : Vector<Real>{};
      transpose<Real>(square);
      AGPT_UNROLL
      for (Index j = 0; j < kWidth; ++j) {
        store(value[j] + r, square[j]);
        nonzero[j] |= nonzero_lanes<Real>(square[j]) << r;
      }
    }
  }
};

// w (columns of a, some vectors of y) += a' y over the rows, leaving out zeros of a.
template <class Real>
inline void accumulate_nonzeros(const Real* a, Index a_stride, Index columns, const Real* y, Index y_stride, Index rows,
                                Real* w, Index w_stride) {
  constexpr int kWidth = kLanes<Real>;
  for (Index row = 0; row < rows; row += kMaskedColumns, a += kMaskedColumns * a_stride, y += kMaskedColumns * y_stride)
    for (Index first = 0; first < columns; first += kWidth) {
      ColumnsOfRows<Real> some;
      some.take(a + first, a_stride, rows - row < kMaskedColumns ? rows - row : kMaskedColumns);
      for (Index c = 0; c < kWidth && first + c < columns; ++c) {
        Real* to = w + (first + c) * w_stride;
        Vector<Real> sum[kVectorsOfMask];
        AGPT_UNROLL
        for (int j = 0; j < kVectorsOfMask; ++j) sum[j] = load(to + j * kWidth);
        for (uint64_t left = some.nonzero[c]; left != 0; left &= left - 1) {
          const Index r = __builtin_ctzll(left);
          const Vector<Real> x = broadcast<Real>(some.value[c][r]);
          AGPT_UNROLL
          for (int j = 0; j < kVectorsOfMask; ++j) sum[j] += x * load(y + r * y_stride + j * kWidth);
        }
        AGPT_UNROLL
        for (int j = 0; j < kVectorsOfMask; ++j) store(to + j * kWidth, sum[j]);
      }
    }
}

// w (k, some vectors of y) += a' y where a has many zeros.
template <class Real>
inline void accumulate_by_zeros_of_a(const Real* a, Index a_stride, const Real* y, Index y_stride, Index rows, Index k,
                                     Real* w, Index w_stride, bool accumulate) {
  if (!accumulate)
    for (Index i = 0; i < k; ++i)
      for (int j = 0; j < kVectorsOfMask; ++j) store(w + i * w_stride + j * kLanes<Real>, Vector<Real>{});
  accumulate_nonzeros(a, a_stride, k, y, y_stride, rows, w, w_stride);
}

// w (k, some vectors of y) += a' y where y has many zeros: square blocks of the transpose, y' a. k is a multiple of their columns.
template <class Real>
inline void accumulate_by_zeros_of_y(const Real* a, Index a_stride, const Real* y, Index y_stride, Index rows, Index k,
                                     Real* w, Index w_stride, bool accumulate) {
  constexpr Index kSide = kColumnsOfMask<Real>, kWidth = kLanes<Real>;
  for (Index first = 0; first < k; first += kSide) {
    alignas(AGPT_VECTOR_BYTES) Real block[kSide * kSide] = {};
    accumulate_nonzeros(y, y_stride, kSide, a + first, a_stride, rows, block, kSide);
    for (Index i = 0; i < kSide; i += kWidth)
      for (Index j = 0; j < kSide; j += kWidth) {
        Vector<Real> square[kWidth];
        AGPT_UNROLL
        for (Index l = 0; l < kWidth; ++l) square[l] = load(block + (j + l) * kSide + i);
        transpose<Real>(square);
        AGPT_UNROLL
        for (Index l = 0; l < kWidth; ++l) {
          Real* to = w + (first + i + l) * w_stride + j;
          store(to, accumulate ? load(to) + square[l] : square[l]);
        }
      }
  }
}

template <class Real>
inline void accumulate_dense(const Real* a, Index a_stride, const Real* y, Index y_stride, Index rows, Index k, Index n,
                             Real* w, Index w_stride, bool accumulate) {
  const Index row_block = gradient_rows(k, n);
  for (Index row = 0; row < rows; row += row_block) {
    const Index used_rows = rows - row < row_block ? rows - row : row_block;
    for (Index column = 0; column < n; column += kPanelWidth<Real>) {
      const Index used = n - column < kPanelWidth<Real> ? n - column : kPanelWidth<Real>;
      accumulate_panel<Real, kPanelVectors>((used + kLanes<Real> - 1) / kLanes<Real>, a + row * a_stride, a_stride,
                                            y + row * y_stride + column, y_stride, used_rows, k, w + column, w_stride,
                                            accumulate || row > 0);
    }
  }
}

template <class Real>
void matmul_transposed(const Real* a, Index a_stride, const Real* y, Index y_stride, Index rows, Index k, Index n,
                       Real* w, Index w_stride, bool accumulate) {
  if constexpr (kFindsZeros) {
    constexpr Index kWidth = kColumnsOfMask<Real>;
    if (n % kWidth == 0 && has_many_zeros(a, a_stride, rows, k)) {
      for (Index column = 0; column < n; column += kWidth)
        accumulate_by_zeros_of_a(a, a_stride, y + column, y_stride, rows, k, w + column, w_stride, accumulate);
      return;
    }
    if (n % kWidth == 0 && k % kWidth == 0 && has_many_zeros(y, y_stride, rows, n)) {
      for (Index column = 0; column < n; column += kWidth)
        accumulate_by_zeros_of_y(a, a_stride, y + column, y_stride, rows, k, w + column, w_stride, accumulate);
      return;
    }
  }
  accumulate_dense(a, a_stride, y, y_stride, rows, k, n, w, w_stride, accumulate);
}

// Several vectors of columns at a time: each is a chain of additions, which wait for each other.
template <class Real, int kVectors>
inline void add_columns(const Real* y, Index stride, Index rows, Real* sum) {
  Vector<Real> total[kVectors];
  AGPT_UNROLL
  for (int j = 0; j < kVectors; ++j) total[j] = load(sum + j * kLanes<Real>);
  for (Index r = 0; r < rows; ++r, y += stride) AGPT_UNROLL
  for (int j = 0; j < kVectors; ++j) total[j] += load(y + j * kLanes<Real>);
  AGPT_UNROLL
  for (int j = 0; j < kVectors; ++j) store(sum + j * kLanes<Real>, total[j]);
}

template <class Real>
void column_sums(const Real* y, Index stride, Index rows, Index n, Real* sum) {
  constexpr int kVectors = 4;
  Index column = 0;
  for (; column + (kVectors - 1) * kLanes<Real> < n; column += kVectors * kLanes<Real>)
    add_columns<Real, kVectors>(y + column, stride, rows, sum + column);
  for (; column < n; column += kLanes<Real>) add_columns<Real, 1>(y + column, stride, rows, sum + column);
}

}  // namespace agpt::AGPT_KERNELS_NAMESPACE
