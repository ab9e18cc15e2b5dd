// Products of row-major matrices, by cuBLAS.
#pragma once

#include "cpp/backend/backend_options.h"
#include "cuda/runtime/cublas_library.h"
#include "cuda/runtime/launch.h"
#include "cuda/runtime/memory.h"

namespace agpt::cuda {

/// A row-major matrix as a factor: `stride` numbers from row to row; `transposed` swaps its rows and columns.
template <class Real>
struct Factor {
  const Real* data = nullptr;
  Index stride = 0;
  bool transposed = false;
};

/// One cuBLAS handle with its own workspace. Results are the same in every run.
class MatrixProducts {
 public:
  // What NVIDIA recommends for its largest devices. With a workspace of its own, a handle's results repeat.
  static constexpr Index kWorkspaceBytes = Index{32} << 20;

  MatrixProducts(MemoryCount& memory, Precision precision, const Queue& queue);
  ~MatrixProducts();
  MatrixProducts(const MatrixProducts&) = delete;
  MatrixProducts& operator=(const MatrixProducts&) = delete;

  /// c (rows, columns) = a (rows, inner) b (inner, columns), or += where `accumulate`.
  template <class Real>
  void multiply(Index rows, Index columns, Index inner, Factor<Real> a, Factor<Real> b, Real* c, Index c_stride,
                bool accumulate);
  /// The same `count` times, each so many numbers behind the one before.
  template <class Real>
  void multiply_batch(Index rows, Index columns, Index inner, Factor<Real> a, Index a_step, Factor<Real> b,
                      Index b_step, Real* c, Index c_stride, Index c_step, Index count);

 private:
  void require_success(cublasStatus_t status) const;
  template <class Real>
  cublasComputeType_t compute_type() const;

  const CublasLibrary& library_;
  const Precision precision_;
  const Queue queue_;
  DeviceBuffer<std::byte> workspace_;
  cublasHandle_t handle_ = nullptr;
};

}  // namespace agpt::cuda
