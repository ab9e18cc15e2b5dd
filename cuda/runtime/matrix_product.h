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
  bool operator==(const Factor&) const = default;
};

/// c (rows, columns) = a (rows, inner) b (inner, columns), or += where `accumulate`; of a batch `count` times, each so many
/// numbers behind the one before.
template <class Real>
struct Product {
  Index rows = 0, columns = 0, inner = 0;
  Factor<Real> a, b;
  Real* c = nullptr;
  Index c_stride = 0;
  bool accumulate = false;
  Index count = 1, a_step = 0, b_step = 0, c_step = 0;
  bool operator==(const Product&) const = default;
};

/// One cuBLAS handle with its own workspace. Results are the same in every run.
class MatrixProducts {
 public:
  // What NVIDIA recommends for its largest devices. With a workspace of its own, a handle's results repeat, and graphs that
  // are captured of its calls allocate nothing.
  static constexpr Index kWorkspaceBytes = Index{32} << 20;

  MatrixProducts(MemoryCount& memory, Precision precision, cudaStream_t stream);
  ~MatrixProducts();
  MatrixProducts(const MatrixProducts&) = delete;
  MatrixProducts& operator=(const MatrixProducts&) = delete;

  /// queue: of the stream that the handle was made for.
  template <class Real>
  void multiply(const Queue& queue, const Product<Real>& product);

 private:
  template <class Real>
  class Call;
  void require_success(cublasStatus_t status) const;
  template <class Real>
  cublasComputeType_t compute_type() const;

  const CublasLibrary& library_;
  const Precision precision_;
  DeviceBuffer<std::byte> workspace_;
  cublasHandle_t handle_ = nullptr;
};

}  // namespace agpt::cuda
