// The kernels of one instruction set as a table of functions, so that one engine serves every processor: the files
// kernels_*.cpp compile the same sources with different flags, and select_kernels() picks at run time.
#pragma once

#include <string>
#include <vector>

#include "cpp/backend/backend.h"

namespace agpt {

/// What becomes of each number of a product, with another matrix of its shape at hand.
enum class Finish {
  none,
  activate,                 ///< other = activation(c); of relu, c = other.
  activate_and_keep_slope,  ///< The same, and c = activation'(c) where it is not relu, whose output tells its slope.
  multiply_by_slope         ///< c *= other, which is the slope; of relu, its output.
};

/// C = A B (+ bias) (+ residual), B packed by pack_panels. All strides are multiples of kRowQuantum.
template <class Real>
struct MatmulArgs {
  const Real* a;  // (m, k)
  Index a_stride;
  Index m;
  int k, n;
  const Real* packed;    // (k, n) in panels
  const Real* bias;      // (padded_width(n)) or null
  const Real* residual;  // (m, n) or null; may be c
  Index residual_stride;
  Real* c;  // (m, n)
  Index c_stride;
  Finish finish = Finish::none;
  ElementwiseActivation activation = ElementwiseActivation::relu;
  Real* other = nullptr;  // (m, n)
  Index other_stride = 0;
};

/// Rows whose pairs of columns (2i, 2i + 1) are rotated, each by the angle that its row's position has in the tables.
template <class Real>
struct RotationArgs {
  Real* x;  // (n_rows, columns)
  Index x_stride, n_rows, columns;
  const int32_t* position;    // (n_rows)
  const Real *cosine, *sine;  // (positions, period)
  Index period;               // even, divides columns
};

/// Rows of one head of width `width`: pointers to its first column in row 0 of the batch.
template <class Real>
struct AttentionArgs {
  const Tile* tile;
  const int32_t* key_row;
  const uint64_t* key_mask;
  int width;
  Real scale;
  const Real *q, *k, *v;  // (rows, width)
  Index qkv_stride;
  Real* saved;    // (keys of the tile, lanes): probabilities
  bool is_saved;  // whether a backward pass reads them
  // forward
  Real* out;  // (rows, width)
  Index out_stride;
  // backward
  const Real* dout;  // (rows, width)
  Index dout_stride;
  Real *dq, *dk, *dv;  // (rows, width)
  Index dqkv_stride;
  Real* workspace;  // (keys of the tile, lanes)
};

/// A query in one head, or in four that lie at equal steps (0: all heads have the same columns), with its softmax over
/// the keys. Columns of keys and values are whole vectors, or zero from the head's end to that of the vector.
template <class Real>
struct HeadsArgs {
  const int32_t* rows;  // of the keys
  int n_keys;
  Real scale;
  const Real* q;  // (k_columns)
  Index q_step;
  const Real* k;  // (rows, k_columns)
  Index k_stride, k_step, k_columns;
  const Real* v;  // (rows, v_columns)
  Index v_stride, v_step, v_columns;
  Real* out;  // (v_columns), whole vectors of which are written
  Index out_step;
  Real* p;  // workspace: n_keys numbers for every head, together rounded up to whole vectors
};

/// Rows of a linear layer of embeddings by tables (cpp/backend/embedding_tables.h). Widths are padded with zeros.
template <class Real>
struct TableRowsArgs {
  Index rows, inputs, outputs;
  const int32_t *token, *position;  // (rows)
  bool subtract_mean;
  Real epsilon;
  const Real *by_token, *by_position;  // (tokens, outputs), (positions, outputs)
  Index table_stride;
  const Real* constant;  // (outputs)
  const Real* x;         // (rows, inputs)
  Index x_stride;
  Real* statistics;  // (rows, 2)
  Index statistics_stride;
  Real* y;  // (rows, outputs)
  Index y_stride;
  // backward
  const Real* dy;
  Index dy_stride;
  Real* dx;
  Index dx_stride;
  Real *token_sums, *position_sums;  // as by_token, by_position
};

template <class Real>
struct KernelTable {
  const char* name;  ///< "generic", "avx2" or "avx512"
  int lanes;         ///< Numbers in a vector; also the rows of an attention tile.
  int panel_width;   ///< Columns of a panel of a packed matrix; columns from a multiple of it on are contiguous.

  /// Numbers that a packed (k, n) matrix takes.
  Index (*packed_size)(Index k, Index n);
  /// packed = B (k, n) where B(i, j) = b[i * row_step + j * column_step], one of the steps 1; columns are padded with
  /// zeros.
  void (*pack_panels)(const Real* b, Index row_step, Index column_step, Index k, Index n, Real* packed);
  void (*matmul)(const MatmulArgs<Real>& args);
  /// w (k, n) = a' y over `rows` rows, or += where `accumulate`: a (rows, k), y (rows, n).
  void (*matmul_transposed)(const Real* a, Index a_stride, const Real* y, Index y_stride, Index rows, Index k, Index n,
                            Real* w, Index w_stride, bool accumulate);
  /// sum (n) += column sums of y (rows, n).
  void (*column_sums)(const Real* y, Index stride, Index rows, Index n, Real* sum);

  /// gain and bias may be null. statistics: 2 numbers a row.
  void (*norm)(bool subtract_mean, Real epsilon, const Real* gain, const Real* bias, Index columns, Index rows,
               const Real* x, Index x_stride, Real* y, Index y_stride, Real* statistics, Index statistics_stride);
  /// dgain and dbias are added to; null with a null gain or bias.
  void (*norm_backward)(bool subtract_mean, const Real* gain, Index columns, Index rows, const Real* x, Index x_stride,
                        const Real* statistics, Index statistics_stride, const Real* dy, Index dy_stride, Real* dx,
                        Index dx_stride, bool accumulate, Real* dgain, Real* dbias);

  /// y and statistics of the rows.
  void (*look_up_rows)(const TableRowsArgs<Real>& args);
  /// The sums += scale * dy; dx += what the norm takes away.
  void (*add_to_table_rows)(const TableRowsArgs<Real>& args);

  /// x[r][c] = x[r][c] * cosine[position[r]][c % period] + x[r][c ^ 1] * sine[position[r]][c % period].
  void (*rotate_pairs)(const RotationArgs<Real>& args);
  /// y += x over n numbers.
  void (*add)(Real* y, const Real* x, Index n);

  OptimizerLoops<Real> optimizer_loops;

  void (*attend)(const AttentionArgs<Real>& args);
  void (*attend_backward)(const AttentionArgs<Real>& args);
  void (*attend_one_head)(const HeadsArgs<Real>& args);
  /// Null where a vector holds too few numbers.
  void (*attend_four_heads)(const HeadsArgs<Real>& args);
  /// out (m, n) = a (m, depth) times b (depth, n), row-major with rows that vectors may read beyond, + bias (n) where it
  /// is not null.
  void (*multiply_rows)(const Real* a, Index a_stride, Index m, Index depth, const Real* b, Index b_stride,
                        const Real* bias, Index n, Real* out, Index out_stride);

  /// One row. Returns log sum exp(logits); where `gradient`, logits become weight * softmax.
  double (*log_sum_exp)(Real* logits, Index n, bool gradient, Real weight);
};

/// The table called `name`, or the best that this processor runs where name is empty. ArgumentError for a name that the
/// build or the processor lacks.
template <class Real>
const KernelTable<Real>& select_kernels(const std::string& name);

/// Names of the tables that this build has and this processor runs, slowest first.
std::vector<std::string> available_kernels();

}  // namespace agpt
