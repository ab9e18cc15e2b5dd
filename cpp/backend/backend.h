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
//   * An operation may return before it is done. Only what says "waits" has its result at hand when it returns: the rest
//     may run behind the host on a device, without a round trip.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "cpp/backend/backend_options.h"
#include "cpp/backend/embedding_tables.h"
#include "cpp/backend/model_shape.h"
#include "cpp/backend/training_state.h"
#include "cpp/base/tile.h"
#include "cpp/base/types.h"

namespace agpt {

class ThreadPool;

/// Every row of an activation matrix starts at a multiple of this many numbers.
constexpr Index kRowQuantum = 16;

constexpr Index padded_width(Index columns) { return (columns + kRowQuantum - 1) / kRowQuantum * kRowQuantum; }

/// A row-major matrix in the backend's memory. Does not own it.
template <class Real>
struct Rows {
  Real* data = nullptr;
  Index stride = 0;

  Rows from(Index row) const { return {data + row * stride, stride}; }
  bool operator==(const Rows&) const = default;
};

/// Rows of a batch in pre-order: every parent precedes its children. All arrays are host memory; they stay as they are
/// until the last operation on the batch was called, so a device copies in begin() what it reads later. Row numbers are
/// int32_t; a batch has at most 2^31 - 1 rows.
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
  /// sum[i] += scale * gradient of flat parameter i, for the tensors [first_tensor, end_tensor). sum is host memory and
  /// covers the flat buffer. Waits; inside a step a device adds with TrainingState::add instead.
  virtual void add_to(std::span<double> sum, int first_tensor, int end_tensor, double scale) const = 0;
};

/// Attention without keys and values, for few queries that see many rows: instead of every row by the key and value
/// weights, each query is multiplied by the key weights and each mean of rows by the value weights.
template <class Real>
class AbsorbedAttention {
 public:
  virtual ~AbsorbedAttention() = default;
  /// Whether it can take keys that are there, as rotated ones must be, and leave out the values alone.
  virtual bool takes_keys() const = 0;
  /// out = what Stream::attend() gives the rows of the tiles, up to rounding, if keys and values of row r were the
  /// columns [d, 2d) and [2d, 3d) of x[r] W + b of linear layer `layer`. qkv has their queries and, if has_keys, all keys.
  virtual void attend_absorbed(int layer, bool has_keys, Index first_tile, Index end_tile, Rows<Real> x, Rows<Real> qkv,
                               Rows<Real> out) = 0;
};

/// An ordered queue of operations with its own scratch memory.
template <class Real>
class Stream {
 public:
  virtual ~Stream() = default;

  /// A zeroed matrix of at least `rows` x `columns`, in slot `slot` of the stream's scratch memory. The same slot gives
  /// the same memory again as long as it is large enough, with the content of the last use.
  virtual Rows<Real> scratch(int slot, Index rows, Index columns) = 0;

  /// `batch` will probably be the next one, with a gradient: a device may copy it while it computes the present one, whose
  /// operations have all been called. Its arrays stay as they are until begin() or another expect(); null takes it back.
  virtual void expect(const BatchView* /*batch*/) {}

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
  /// out = activation(x W + b). out is `before` for relu, and another matrix otherwise. `before` becomes x W + b, or, where
  /// the stream has a gradient, what its linear_backward_activate() makes the slope of.
  virtual void linear_activate(int layer, ElementwiseActivation kind, Index begin, Index end, Rows<Real> x,
                               Rows<Real> before, Rows<Real> out) = 0;
  /// The columns [first_column, end_column) of y = x W + b; the others are left as they are or written, too.
  virtual void linear_columns(int layer, Index /*first_column*/, Index /*end_column*/, Index begin, Index end,
                              Rows<Real> x, Rows<Real> y) {
    linear(layer, begin, end, x, y, {});
  }
  /// dx = dy W'.
  virtual void linear_backward_input(int layer, Index begin, Index end, Rows<Real> dy, Rows<Real> dx) = 0;
  /// dbefore = dy W' times the slope of the activation that made the layer's input, element by element; `before` is that
  /// of its linear_activate().
  virtual void linear_backward_activate(int layer, ElementwiseActivation kind, Index begin, Index end, Rows<Real> dy,
                                        Rows<Real> before, Rows<Real> dbefore) = 0;
  /// dW += x' dy, db += column sums of dy.
  virtual void linear_backward_weight(int layer, Index begin, Index end, Rows<Real> x, Rows<Real> dy) = 0;

  /// Rotates the q and k columns of qkv (rows, 3 * d), in place: in every head the pair (2i, 2i+1) by the angle
  /// position[r] / rotation_base^(2i / head width). `inverse` rotates back, which is also the gradient.
  virtual void rotate(Index begin, Index end, Rows<Real> qkv, bool inverse) = 0;

  /// out (rows, d) = attention of the tiles [first_tile, end_tile). Scores are scaled by 1 / sqrt(head width).
  /// saved: memory of saved_attention_size() numbers for the backward pass of the same tiles; 0 where the stream needs
  /// none, as without a gradient.
  virtual void attend(Index first_tile, Index end_tile, Rows<Real> qkv, Rows<Real> out, Real* saved) = 0;
  /// dqkv: the tiles' rows are written, the k and v columns of keys in rows before them are added to.
  virtual void attend_backward(Index first_tile, Index end_tile, Rows<Real> qkv, Rows<Real> dout, const Real* saved,
                               Rows<Real> dqkv) = 0;
  virtual Index saved_attention_size(Index first_tile, Index end_tile) const = 0;

  /// The stream's running loss += sum over rows and targets of weight * (log sum exp(logits) - logits[target]); where
  /// `gradient`, replaces logits by its gradient, weight[r] * softmax - target weights. Rows with weight 0 cost nothing.
  virtual void cross_entropy(Index columns, Index begin, Index end, Rows<Real> logits, bool gradient) = 0;
  /// Waits; returns the running loss, which becomes 0.
  virtual double take_loss() = 0;
  /// losses[r - begin] = the loss of row r, 0 where it has no targets; the running loss stays as it is. Waits.
  virtual void row_losses(Index columns, Index begin, Index end, Rows<Real> logits, std::span<double> losses) = 0;
  /// values (end - begin, columns), host memory without padding = the rows [begin, end) of m. Waits.
  virtual void read_rows(Index columns, Index begin, Index end, Rows<Real> m, std::span<Real> values) = 0;

  /// Null where computing all keys and values is no slower.
  virtual AbsorbedAttention<Real>* absorbed_attention() { return nullptr; }

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
  /// 0: batches are taken as they come, one a thread. Otherwise small batches are joined until they have about as many
  /// rows, and threads prepare them ahead of the one stream that takes them.
  virtual Index joined_rows() const { return 0; }
  /// At most how many numbers attend() keeps for each row, in batches of paths of up to `context` tokens.
  virtual Index saved_attention_per_row(Index /*context*/) const { return 0; }
  /// Bytes that a stream, not made yet, may take for its scratch matrices and the batches on their way, beside what else
  /// it needs; 0 is no limit of the backend's.
  virtual Index activation_memory() const { return 0; }
  /// Threads, idle whenever no stream is at work, that may share the work on parameters: packing, an update. The results
  /// have the same bits. Null takes them back. A device has no use for them.
  virtual void use_threads(ThreadPool* /*threads*/) {}
  /// flat: all parameters, in the layout of the ModelShape. Not to be called while a stream is at work.
  virtual void set_parameters(std::span<const Real> flat) = 0;
  virtual std::unique_ptr<Stream<Real>> make_stream() = 0;
  virtual std::unique_ptr<Gradient<Real>> make_gradient() = 0;
  /// Null where computing each row anew is no slower than looking it up.
  virtual std::unique_ptr<EmbeddingTables<Real>> make_embedding_tables(const EmbeddedLinearShape&) { return nullptr; }
  /// What a training changes; the arrays must outlive it. Several states of a backend share its parameters.
  virtual std::unique_ptr<TrainingState<Real>> make_training_state(const TrainingArrays<Real>& arrays) = 0;
  /// What the backend's device did since it was made; zeros where there is no device.
  virtual DeviceStatistics statistics() const { return {}; }
};

/// The backend called `name` for a model of that shape: "reference" (plain loops, the truth of the tests), "cpu" (fast;
/// "cpu:generic", "cpu:avx2", "cpu:avx512" insist on an instruction set), "cuda". ArgumentError for another name and for
/// options that the backend does not have, DeviceError for a backend that was not built or has no device.
template <class Real>
std::unique_ptr<Backend<Real>> make_backend(const std::string& name, const ModelShape& shape,
                                            const BackendOptions& options = {});

/// The names that make_backend knows.
std::vector<std::string> backend_names();

}  // namespace agpt
