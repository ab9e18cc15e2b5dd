// What a backend must know of a model: the shapes of its tensors, and which of them are matrices of linear layers.
#pragma once

#include <vector>

#include "cpp/base/types.h"

namespace agpt {

/// A parameter tensor: rows x columns numbers at `offset` of the flat parameter buffer.
struct TensorShape {
  Index offset = 0, rows = 0, columns = 0;
  bool is_vector = false;  ///< A bias or a norm's gain, which weight decay spares.

  Index size() const { return rows * columns; }
};

/// A linear layer y = x W + b by the numbers of its tensors; b may be absent (-1). With `transposed` the tensor is
/// stored as (outputs, inputs), as a tied head has it.
struct LinearShape {
  int weight = -1, bias = -1;
  bool transposed = false;
};

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

}  // namespace agpt
