// Matrix products of the emulated cuBLAS: plain loops, queued on the handle's stream like any kernel.
#include "tests/cuda_emu/emulator/cublas_api.h"

#include <bit>
#include <cstdint>
#include <string>
#include <type_traits>
#include <vector>

#include "tests/cuda_emu/emulator/access_check.h"
#include "tests/cuda_emu/emulator/runtime_state.h"

struct cublasContext {
  cudaStream_t stream = nullptr;
  cublasMath_t math = CUBLAS_DEFAULT_MATH;
};

namespace cuda_emu {
namespace {

/// The nearest number with `bits` bits of fraction, ties to even.
float rounded(float x, int bits) {
  const int dropped = 23 - bits;
  const auto number = std::bit_cast<uint32_t>(x);
  const uint32_t half = (1u << (dropped - 1)) - 1 + (number >> dropped & 1);
  return std::bit_cast<float>((number + half) & ~((1u << dropped) - 1));
}

template <class Real>
Real as_computed(Real x, cublasComputeType_t compute) {
  if constexpr (std::is_same_v<Real, float>) {
    if (compute == CUBLAS_COMPUTE_32F_FAST_TF32) return rounded(x, 10);
    if (compute == CUBLAS_COMPUTE_32F_FAST_16BF) return rounded(x, 7);
  }
  return x;
}

void require_readable(const void* begin, size_t bytes, const char* which) {
  if (const char* const fault = fault_of_library_read(begin, bytes))
    throw KernelFault(std::string("a matrix product ") + fault + " (its matrix " + which + ")");
}

template <class Real>
struct Matrix {
  const Real* data;
  int stride;
  bool transposed;

  /// Its numbers as computed with, (rows, columns) column by column.
  std::vector<Real> packed(int rows, int columns, cublasComputeType_t compute, const char* name) const {
    const int lines = transposed ? rows : columns, length = transposed ? columns : rows;
    for (int i = 0; i < lines; ++i)
      require_readable(data + int64_t{i} * stride, sizeof(Real) * static_cast<size_t>(length), name);
    std::vector<Real> result(static_cast<size_t>(rows) * static_cast<size_t>(columns));
    for (int64_t j = 0; j < columns; ++j)
      for (int64_t i = 0; i < rows; ++i)
        result[static_cast<size_t>(j * rows + i)] =
            as_computed(transposed ? data[i * stride + j] : data[j * stride + i], compute);
    return result;
  }
};

template <class Real>
struct Product {
  int m, n, k;
  Real alpha, beta;
  Matrix<Real> a, b;
  Real* c;
  int c_stride;
  cublasComputeType_t compute;

  void run() const {
    const std::vector<Real> left = a.packed(m, k, compute, "A"), right = b.packed(k, n, compute, "B");
    std::vector<Real> column(static_cast<size_t>(m));
    for (int64_t j = 0; j < n; ++j) {
      std::fill(column.begin(), column.end(), Real{0});
      for (int64_t l = 0; l < k; ++l) {
        const Real factor = right[static_cast<size_t>(j * k + l)];
        const Real* const from = left.data() + l * m;
        for (int64_t i = 0; i < m; ++i) column[static_cast<size_t>(i)] += from[i] * factor;
      }
      write_column(c + j * c_stride, column);
    }
    const size_t size = sizeof(Real) * static_cast<size_t>(m) * static_cast<size_t>(n);
    add_library_traffic(sizeof(Real) * (left.size() + right.size()) + (beta != 0 ? size : 0), size);
  }

  void write_column(Real* target, const std::vector<Real>& column) const {
    const size_t bytes = sizeof(Real) * column.size();
    if (!is_device_memory(target, bytes)) throw KernelFault("a matrix product writes outside its allocation");
    if (beta != 0) require_readable(target, bytes, "C");
    for (size_t i = 0; i < column.size(); ++i) target[i] = alpha * column[i] + (beta != 0 ? beta * target[i] : Real{0});
    mark_written(target, bytes);
  }
};

template <class Real>
cublasStatus_t enqueue_product(cublasHandle_t handle, const Product<Real>& product) {
  if (!handle) return CUBLAS_STATUS_NOT_INITIALIZED;
  if (product.m < 0 || product.n < 0 || product.k < 0) return CUBLAS_STATUS_INVALID_VALUE;
  const bool strides_suffice = product.a.stride >= (product.a.transposed ? product.k : product.m) &&
                               product.b.stride >= (product.b.transposed ? product.n : product.k) &&
                               product.c_stride >= product.m;
  if (!strides_suffice) return CUBLAS_STATUS_INVALID_VALUE;
  if (product.m == 0 || product.n == 0) return CUBLAS_STATUS_SUCCESS;
  return enqueue_work(handle->stream, [product] { product.run(); }) == cudaSuccess ? CUBLAS_STATUS_SUCCESS
                                                                                   : CUBLAS_STATUS_EXECUTION_FAILED;
}

}  // namespace
}  // namespace cuda_emu

using cuda_emu::enqueue_product;
using cuda_emu::Product;

cublasStatus_t cublasCreate_v2(cublasHandle_t* handle) {
  *handle = new cublasContext;
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasDestroy_v2(cublasHandle_t handle) {
  delete handle;
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasSetStream_v2(cublasHandle_t handle, cudaStream_t stream) {
  handle->stream = stream;
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasSetWorkspace_v2(cublasHandle_t, void*, size_t) { return CUBLAS_STATUS_SUCCESS; }

cublasStatus_t cublasSetMathMode(cublasHandle_t handle, cublasMath_t mode) {
  handle->math = mode;
  return CUBLAS_STATUS_SUCCESS;
}

const char* cublasGetStatusString(cublasStatus_t status) {
  return status == CUBLAS_STATUS_SUCCESS ? "CUBLAS_STATUS_SUCCESS" : "an error of the emulated cuBLAS";
}

cublasStatus_t cublasGemmStridedBatchedEx(cublasHandle_t handle, cublasOperation_t op_a, cublasOperation_t op_b, int m,
                                          int n, int k, const void* alpha, const void* a, cudaDataType_t a_type,
                                          int a_stride, long long a_step, const void* b, cudaDataType_t b_type,
                                          int b_stride, long long b_step, const void* beta, void* c,
                                          cudaDataType_t c_type, int c_stride, long long c_step, int count,
                                          cublasComputeType_t compute, cublasGemmAlgo_t) {
  const bool is_double = compute == CUBLAS_COMPUTE_64F;
  const cudaDataType_t type = is_double ? CUDA_R_64F : CUDA_R_32F;
  if (a_type != type || b_type != type || c_type != type) return CUBLAS_STATUS_NOT_SUPPORTED;
  const auto one = [&]<class Real>(Real, long long number) {
    return enqueue_product<Real>(handle,
                                 {m,
                                  n,
                                  k,
                                  *static_cast<const Real*>(alpha),
                                  *static_cast<const Real*>(beta),
                                  {static_cast<const Real*>(a) + number * a_step, a_stride, op_a == CUBLAS_OP_T},
                                  {static_cast<const Real*>(b) + number * b_step, b_stride, op_b == CUBLAS_OP_T},
                                  static_cast<Real*>(c) + number * c_step,
                                  c_stride,
                                  compute});
  };
  for (long long number = 0; number < count; ++number) {
    const cublasStatus_t status = is_double ? one(double{}, number) : one(float{}, number);
    if (status != CUBLAS_STATUS_SUCCESS) return status;
  }
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasGemmEx(cublasHandle_t handle, cublasOperation_t op_a, cublasOperation_t op_b, int m, int n, int k,
                            const void* alpha, const void* a, cudaDataType_t a_type, int a_stride, const void* b,
                            cudaDataType_t b_type, int b_stride, const void* beta, void* c, cudaDataType_t c_type,
                            int c_stride, cublasComputeType_t compute, cublasGemmAlgo_t algorithm) {
  return cublasGemmStridedBatchedEx(handle, op_a, op_b, m, n, k, alpha, a, a_type, a_stride, 0, b, b_type, b_stride, 0,
                                    beta, c, c_type, c_stride, 0, 1, compute, algorithm);
}

cublasStatus_t cublasSgemm_v2(cublasHandle_t handle, cublasOperation_t op_a, cublasOperation_t op_b, int m, int n,
                              int k, const float* alpha, const float* a, int a_stride, const float* b, int b_stride,
                              const float* beta, float* c, int c_stride) {
  const auto compute =
      handle && handle->math == CUBLAS_TF32_TENSOR_OP_MATH ? CUBLAS_COMPUTE_32F_FAST_TF32 : CUBLAS_COMPUTE_32F;
  return cublasGemmEx(handle, op_a, op_b, m, n, k, alpha, a, CUDA_R_32F, a_stride, b, CUDA_R_32F, b_stride, beta, c,
                      CUDA_R_32F, c_stride, compute, CUBLAS_GEMM_DEFAULT);
}

cublasStatus_t cublasDgemm_v2(cublasHandle_t handle, cublasOperation_t op_a, cublasOperation_t op_b, int m, int n,
                              int k, const double* alpha, const double* a, int a_stride, const double* b, int b_stride,
                              const double* beta, double* c, int c_stride) {
  return cublasGemmEx(handle, op_a, op_b, m, n, k, alpha, a, CUDA_R_64F, a_stride, b, CUDA_R_64F, b_stride, beta, c,
                      CUDA_R_64F, c_stride, CUBLAS_COMPUTE_64F, CUBLAS_GEMM_DEFAULT);
}
