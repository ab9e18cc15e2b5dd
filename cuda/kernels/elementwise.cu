#include "cuda/kernels/elementwise.h"

#include <cmath>

#include "cuda/device/vec.cuh"
#include "cuda/kernels/column_sums.cuh"

namespace agpt::cuda {
namespace {

constexpr int kThreads = 256;
// A thread's vectors: several, so that their loads are under way together.
constexpr int kVectorsPerThread = 4;

template <class Real>
__device__ Real normal_distribution(Real x) {
  return Real(0.5) * std::erfc(-x * Real(0.70710678118654752440));
}
template <class Real>
__device__ Real normal_density(Real x) {
  return Real(0.39894228040143267794) * std::exp(-x * x / 2);
}

template <class Real, ElementwiseActivation kKind>
__device__ Real activation(Real x) {
  const Real positive = x > 0 ? x : Real(0);
  if constexpr (kKind == ElementwiseActivation::relu) return positive;
  if constexpr (kKind == ElementwiseActivation::relu_squared) return positive * positive;
  return x * normal_distribution(x);
}

template <class Real, ElementwiseActivation kKind>
__device__ Real slope(Real x) {
  if constexpr (kKind == ElementwiseActivation::relu) return x > 0 ? Real(1) : Real(0);
  if constexpr (kKind == ElementwiseActivation::relu_squared) return x > 0 ? 2 * x : Real(0);
  return normal_distribution(x) + x * normal_density(x);
}

// The functions below map the padding's zeros to zeros, so they take whole vectors up to the end of the padding.

template <class Real>
__device__ void add_bias(const Real* bias, int columns, int vector, Vec4<Real>& value) {
  if (bias == nullptr) return;
  for (int i = 0; i < 4; ++i)
    if (4 * vector + i < columns) value.at[i] += bias[4 * vector + i];  // the padding stays zero
}

template <class Real, ElementwiseActivation kKind>
struct Activate {
  const Real* bias;
  int columns;
  Rows<Real> x, out;
  bool operator==(const Activate&) const = default;
  __device__ void operator()(Index row, int vector) const {
    Vec4<Real>& before = as_vectors(x.data + row * x.stride)[vector];
    Vec4<Real> value = before;
    add_bias(bias, columns, vector, value);
    if (bias != nullptr && out.data != x.data) before = value;
    for (Real& v : value.at) v = activation<Real, kKind>(v);
    as_vectors(out.data + row * out.stride)[vector] = value;
  }
};

template <class Real, ElementwiseActivation kKind>
struct ActivateBackward {
  Rows<Real> x, d;
  bool operator==(const ActivateBackward&) const = default;
  __device__ Vec4<Real> operator()(Index row, int vector) const {
    const Vec4<Real> value = as_vectors(x.data + row * x.stride)[vector];
    Vec4<Real>& gradient = as_vectors(d.data + row * d.stride)[vector];
    Vec4<Real> product = gradient;
    for (int i = 0; i < 4; ++i) product.at[i] *= slope<Real, kKind>(value.at[i]);
    return gradient = product;
  }
};

template <class Real>
struct Clear {
  Rows<Real> m;
  bool operator==(const Clear&) const = default;
  __device__ void operator()(Index row, int vector) const {
    as_vectors(m.data + row * m.stride)[vector] = Vec4<Real>{};
  }
};

template <class Real>
struct BiasAndResidual {
  const Real* bias;
  int columns;
  Rows<Real> residual, y;
  bool operator==(const BiasAndResidual&) const = default;
  __device__ void operator()(Index row, int vector) const {
    Vec4<Real> value{};
    if (residual.data != nullptr) value = as_vectors(residual.data + row * residual.stride)[vector];
    add_bias(bias, columns, vector, value);
    as_vectors(y.data + row * y.stride)[vector] = value;
  }
};

// Mapping: a block owns rows_per_block whole rows of `vectors` vectors, a thread every kThreads-th of its vectors. No
// shared memory, no barriers, no order to vary.
template <class Function>
__global__ void for_each_vector_kernel(Function function, Index n_rows, int rows_per_block, int vectors) {
  const Index first = static_cast<Index>(blockIdx.x) * rows_per_block;
  const Index rows = n_rows - first < rows_per_block ? n_rows - first : rows_per_block;
  const unsigned end = static_cast<unsigned>(rows) * vectors;
  for (unsigned i = threadIdx.x; i < end; i += kThreads) {
    const unsigned row = i / vectors;
    function(first + row, static_cast<int>(i - row * vectors));
  }
}

template <class Function>
void for_each_vector(const Queue& queue, Index columns, Index n_rows, const Function& function) {
  const auto vectors = static_cast<int>(ceil_divide(columns, 4));
  const int wanted = kThreads * kVectorsPerThread / vectors, rows_per_block = wanted > 1 ? wanted : 1;
  launch(queue, for_each_vector_kernel<Function>, static_cast<unsigned>(ceil_divide(n_rows, rows_per_block)), kThreads,
         0, function, n_rows, rows_per_block, vectors);
}

// Calls body with the activation as a constant.
template <class Body>
void with_activation(ElementwiseActivation kind, const Body& body) {
  using Kind = ElementwiseActivation;
  if (kind == Kind::relu) return body(std::integral_constant<Kind, Kind::relu>());
  if (kind == Kind::relu_squared) return body(std::integral_constant<Kind, Kind::relu_squared>());
  body(std::integral_constant<Kind, Kind::gelu>());
}

}  // namespace

template <class Real>
void activate(const Queue& queue, ElementwiseActivation kind, Index columns, Index n_rows, const Real* bias,
              Rows<Real> x, Rows<Real> out) {
  with_activation(kind, [&](auto constant) {
    for_each_vector(queue, columns, n_rows,
                    Activate<Real, decltype(constant)::value>{bias, static_cast<int>(columns), x, out});
  });
}

template <class Real>
void activate_backward(const Queue& queue, ElementwiseActivation kind, Index columns, Index n_rows, Rows<Real> x,
                       Rows<Real> d) {
  with_activation(kind, [&](auto constant) {
    for_each_vector(queue, columns, n_rows, ActivateBackward<Real, decltype(constant)::value>{x, d});
  });
}

template <class Real>
void activate_backward_and_sum(const Queue& queue, ElementwiseActivation kind, Index columns, Index n_rows,
                               Rows<Real> x, Rows<Real> d, Real* partial, Real* sum) {
  with_activation(kind, [&](auto constant) {
    sum_columns(queue, columns, n_rows, ActivateBackward<Real, decltype(constant)::value>{x, d}, partial, sum);
  });
}

template <class Real>
void clear_rows(const Queue& queue, Index columns, Index n_rows, Rows<Real> m) {
  for_each_vector(queue, columns, n_rows, Clear<Real>{m});
}

template <class Real>
void bias_and_residual(const Queue& queue, Index columns, Index n_rows, const Real* bias, Rows<Real> residual,
                       Rows<Real> y) {
  for_each_vector(queue, columns, n_rows, BiasAndResidual<Real>{bias, static_cast<int>(columns), residual, y});
}

#define AGPT_INSTANTIATE(Real)                                                                                       \
  template void activate(const Queue&, ElementwiseActivation, Index, Index, const Real*, Rows<Real>, Rows<Real>);    \
  template void activate_backward(const Queue&, ElementwiseActivation, Index, Index, Rows<Real>, Rows<Real>);        \
  template void activate_backward_and_sum(const Queue&, ElementwiseActivation, Index, Index, Rows<Real>, Rows<Real>, \
                                          Real*, Real*);                                                             \
  template void clear_rows(const Queue&, Index, Index, Rows<Real>);                                                  \
  template void bias_and_residual(const Queue&, Index, Index, const Real*, Rows<Real>, Rows<Real>);
AGPT_INSTANTIATE(float)
AGPT_INSTANTIATE(double)
#undef AGPT_INSTANTIATE

}  // namespace agpt::cuda
