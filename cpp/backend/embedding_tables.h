// The first linear layer of a model, whose input is the norm of the embeddings, by tables. The norm scales each row by a
// number of its own, and before that everything is linear, so
//
//   norm(e[token] + p[position]) W + b = s (A[token] + B[position]) + c
//
// where A = (gain * centred e) W, B = (gain * centred p) W, c = (bias of the norm) W + b, and s is the scale of the row.
// A and B have as many rows as there are tokens and positions, whatever the number of rows that are looked up, and so has
// the gradient: with dy of a row, A[token] and B[position] get s dy, and the embedding gets, beside what comes through
// A and B, -s^2 / d (dy . (y - c)) times its centred self, which is what the norm takes away. Exact.
#pragma once

#include <span>

#include "cpp/backend/model_shape.h"
#include "cpp/base/types.h"

namespace agpt {

struct BatchView;
template <class Real>
struct Rows;
template <class Real>
class Gradient;

/// What the tables are made of, by numbers of tensors and of the linear layer.
struct EmbeddedLinearShape {
  int embedding = -1, position_embedding = -1;  ///< (tokens, d) and (positions, d); -1: no positions.
  NormShape norm;
  int linear = -1;
};

/// The tables of a backend's parameters. Rows are those of a batch, matrices as everywhere at the seam.
template <class Real>
class EmbeddingTables {
 public:
  virtual ~EmbeddingTables() = default;
  /// Computes the tables of the present parameters. Not to be called while a stream is at work.
  virtual void make() = 0;
  /// y = the layer's output for the rows [begin, end), whose embeddings are x. Where there are positions, statistics
  /// (rows, 2) become those of the norm.
  virtual void look_up(const BatchView& batch, Index begin, Index end, Rows<Real> x, Rows<Real> statistics,
                       Rows<Real> y) const = 0;
  /// Takes the gradient dy of y = look_up() of the same rows. Where there are positions, dx += a part of the gradient of
  /// x, and y is still what it was; `gradient` keeps the rest for finish().
  virtual void add_gradient(const BatchView& batch, Index begin, Index end, Rows<Real> x, Rows<Real> statistics,
                            Rows<Real> y, Rows<Real> dy, Rows<Real> dx, Gradient<Real>& gradient) const = 0;
  /// into += what the gradients have kept since they were cleared, summed in their order; `into` may be one of them. Not
  /// to be called while a stream is at work.
  virtual void finish(std::span<const Gradient<Real>* const> gradients, Gradient<Real>& into) = 0;
};

}  // namespace agpt
