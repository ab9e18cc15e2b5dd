// THE seam: what a device must be able to do. A backend sees arrays (tokens, parents, tiles, offsets) and never a trie,
// a configuration or a file. Every backend does every operation.
//
// Contract of the operations
//   * A matrix is row-major with a stride that is a multiple of kRowQuantum numbers; the columns between its width and
//     its stride are padding, hold zeros on entry and are left zero.
//   * Outputs are overwritten unless the operation says "+=". Gradients of parameters are always accumulated, into the
//     Gradient that the stream was given. Gradients of activations follow the name: *_backward overwrites dx unless it
//     takes an `accumulate` flag.
//   * Operations of one stream run in order. Streams are independent and may be used from different threads.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "cpp/base/tile.h"
#include "cpp/base/types.h"

namespace agpt {

/// Every row of an activation matrix starts at a multiple of this many numbers.
constexpr Index kRowQuantum = 16;

constexpr Index padded_width(Index columns) { return (columns + kRowQuantum - 1) / kRowQuantum * kRowQuantum; }

/// A row-major matrix in the backend's memory. Does not own it.
template <class Real>
struct Rows {
  Real* data = nullptr;
  Index stride = 0;

  Rows from(Index row) const { return {data + row * stride, stride}; }
};

/// A parameter tensor: rows x columns numbers at `offset` of the flat parameter buffer.
struct TensorShape {
  Index offset = 0, rows = 0, columns = 0;
};

/// A linear layer y = x W + b by the numbers of its tensors; b may be absent (-1). With `transposed` the tensor is
/// stored as (outputs, inputs), as a tied head has it.
struct LinearShape {
  int weight = -1, bias = -1;
  bool transposed = false;
};

/// What a backend must know of a model: its tensors and which of them are matrices of linear layers.
struct ModelShape {
  std::vector<TensorShape> tensors;
  std::vector<LinearShape> linears;
  std::vector<int> heads;     ///< Widths of the attention heads, side by side.
  int rotated_positions = 0;  ///< `rotate` is called for positions below this.
  double rotation_base = 10000;
};

/// One norm: which kind, and the tensors of its gain and bias (-1 where absent).
struct NormShape {
  bool subtract_mean = true;  ///< true: layer norm; false: RMS norm
  int gain = -1, bias = -1;
  double epsilon = 1e-5;
};

enum class ElementwiseActivation { relu, relu_squared, gelu };

/// Rows of a batch in pre-order: every parent precedes its children. All arrays are host memory and outlive the
/// stream's use of them. Row numbers are int32_t; a batch has at most 2^31 - 1 rows.
struct BatchView {
  std::span<const int32_t> token;     // (rows)
  std::span<const int32_t> position;  // (rows) depth - 1
  std::span<const int32_t> parent;    // (rows) row of the parent, or -1
  // Keys of attention tile by tile. Key k is row key_row[k]; bit i of key_mask[k] says that row first_row + i sees it.
  std::span<const Tile> tiles;
  std::span<const int32_t> key_row;
  std::span<const uint64_t> key_mask;
  // Targets of row r: entries [target_begin[r], target_begin[r + 1]). weight[r] is the sum of its target weights.
  std::span<const int32_t> target_begin;  // (rows + 1)
  std::span<const int32_t> target_token;
  std::span<const double> target_weight;
  std::span<const double> weight;  // (rows)

  Index n_rows() const { return static_cast<Index>(token.size()); }
};

/// The gradient of all parameters, in the backend's own layout and memory.
template <class Real>
class Gradient {
 public:
  virtual ~Gradient() = default;
  virtual void clear() = 0;
  /// sum[i] += gradient of flat parameter i, for the tensors [first_tensor, end_tensor). sum covers the flat buffer.
  virtual void add_to(std::span<double> sum, int first_tensor, int end_tensor) const = 0;
};

/// An ordered queue of operations with its own scratch memory.
template <class Real>
class Stream {
 public:
  virtual ~Stream() = default;

  /// A zeroed matrix of at least `rows` x `columns`, in slot `slot` of the stream's scratch memory. The same slot gives
  /// the same memory again as long as it is large enough, with the content of the last use.
  virtual Rows<Real> scratch(int slot, Index rows, Index columns) = 0;

  /// The batch that the operations below refer to, and where gradients of parameters go (may be null for forward only).
  virtual void begin(const BatchView& batch, Gradient<Real>* gradient) = 0;

  // All row ranges are [begin, end) of the batch; matrices are addressed by the batch's row numbers.

  /// out[r] = table[token[r]] (+ position_table[position[r]] where position_table >= 0).
  virtual void embed(int table, int position_table, Index begin, Index end, Rows<Real> out) = 0;
  virtual void embed_backward(int table, int position_table, Index begin, Index end, Rows<Real> dout) = 0;

  /// y = norm(x) over `columns` columns; statistics (rows, 2): mean and 1 / deviation, kept for the backward pass.
  virtual void norm(const NormShape& shape, Index columns, Index begin, Index end, Rows<Real> x, Rows<Real> y,
                    Rows<Real> statistics) = 0;
  /// dx (+)= gradient through the norm of dy; dy and dx are distinct matrices.
  virtual void norm_backward(const NormShape& shape, Index columns, Index begin, Index end, Rows<Real> x,
                             Rows<Real> statistics, Rows<Real> dy, Rows<Real> dx, bool accumulate) = 0;

  /// y = x W + b, plus residual where residual.data is not null (residual may be y itself).
  virtual void linear(int layer, Index begin, Index end, Rows<Real> x, Rows<Real> y, Rows<Real> residual) = 0;
  /// dx = dy W'.
  virtual void linear_backward_input(int layer, Index begin, Index end, Rows<Real> dy, Rows<Real> dx) = 0;
  /// dW += x' dy, db += column sums of dy.
  virtual void linear_backward_weight(int layer, Index begin, Index end, Rows<Real> x, Rows<Real> dy) = 0;

  /// out = activation(x). In place (out = x) is allowed for relu, whose backward needs only the sign.
  virtual void activate(ElementwiseActivation kind, Index columns, Index begin, Index end, Rows<Real> x,
                        Rows<Real> out) = 0;
  /// d *= activation'(x), in place.
  virtual void activate_backward(ElementwiseActivation kind, Index columns, Index begin, Index end, Rows<Real> x,
                                 Rows<Real> d) = 0;

  /// Rotates the q and k columns of qkv (rows, 3 * d), in place: in every head the pair (2i, 2i+1) by the angle
  /// position[r] / rotation_base^(2i / head width). `inverse` rotates back, which is also the gradient.
  virtual void rotate(Index begin, Index end, Rows<Real> qkv, bool inverse) = 0;

  /// out (rows, d) = attention of the tiles [first_tile, end_tile). Scores are scaled by 1 / sqrt(head width).
  /// saved: memory of saved_attention_size() numbers for the backward pass of the same tiles.
  virtual void attend(Index first_tile, Index end_tile, Rows<Real> qkv, Rows<Real> out, Real* saved) = 0;
  /// dqkv: the q columns of the tiles' rows are written, the k and v columns of their keys are added to.
  virtual void attend_backward(Index first_tile, Index end_tile, Rows<Real> qkv, Rows<Real> dout, const Real* saved,
                               Rows<Real> dqkv) = 0;
  virtual Index saved_attention_size(Index first_tile, Index end_tile) const = 0;

  /// Returns sum over rows and targets of weight * (log sum exp(logits) - logits[target]); where `gradient`, replaces
  /// logits by its gradient, weight[r] * softmax - target weights. Rows with weight 0 cost nothing.
  virtual double cross_entropy(Index columns, Index begin, Index end, Rows<Real> logits, bool gradient) = 0;

  /// m = 0.
  virtual void clear(Index columns, Index begin, Index end, Rows<Real> m) = 0;
};

/// One device's arithmetic on one model. The parameters it computes with are those of the last set_parameters().
template <class Real>
class Backend {
 public:
  virtual ~Backend() = default;
  /// For people and logs: "cpu (avx512, float32)".
  virtual std::string description() const = 0;
  /// Rows of an attention tile, at most 64.
  virtual int tile_rows() const = 0;
  /// How many streams can usefully work at a time on n_threads threads.
  virtual int max_streams(int n_threads) const = 0;
  /// flat: all parameters, in the layout of the ModelShape. Not to be called while a stream is at work.
  virtual void set_parameters(std::span<const Real> flat) = 0;
  virtual std::unique_ptr<Stream<Real>> make_stream() = 0;
  virtual std::unique_ptr<Gradient<Real>> make_gradient() = 0;
};

/// The backend called `name` for a model of that shape: "reference" (plain loops, the truth of the tests), "cpu" (fast;
/// "cpu:generic", "cpu:avx2", "cpu:avx512" insist on an instruction set), "cuda". ArgumentError for another name,
/// DeviceError for a backend that was not built or has no device.
template <class Real>
std::unique_ptr<Backend<Real>> make_backend(const std::string& name, const ModelShape& shape);

/// The names that make_backend knows.
std::vector<std::string> backend_names();

}  // namespace agpt
