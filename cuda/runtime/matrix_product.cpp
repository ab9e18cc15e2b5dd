#include "cuda/runtime/matrix_product.h"

#include <type_traits>

namespace agpt::cuda {
namespace {

template <class Real>
constexpr cudaDataType_t kType = std::is_same_v<Real, float> ? CUDA_R_32F : CUDA_R_64F;

// A row-major matrix is the column-major transpose of itself: the product c = a b is computed as c' = b' a'.
cublasOperation_t operation(bool transposed) { return transposed ? CUBLAS_OP_T : CUBLAS_OP_N; }

}  // namespace

MatrixProducts::MatrixProducts(MemoryCount& memory, Precision precision, const Queue& queue)
    : library_(cublas_library()),
      precision_(precision),
      queue_(queue),
      workspace_(memory, "the workspace of matrix products", kWorkspaceBytes) {
  require_success(library_.create(&handle_));
  require_success(library_.set_stream(handle_, queue.stream));
  require_success(library_.set_workspace(handle_, workspace_.get(), static_cast<size_t>(workspace_.bytes())));
}

MatrixProducts::~MatrixProducts() {
  if (handle_ != nullptr) library_.destroy(handle_);
}

void MatrixProducts::require_success(cublasStatus_t status) const {
  if (status != CUBLAS_STATUS_SUCCESS)
    throw DeviceError(std::string("a matrix product on the GPU failed: ") + library_.status_string(status));
  if (queue_.launches != nullptr) ++*queue_.launches;
}

template <class Real>
cublasComputeType_t MatrixProducts::compute_type() const {
  if (!std::is_same_v<Real, float>) return CUBLAS_COMPUTE_64F;
  if (precision_ == Precision::tf32) return CUBLAS_COMPUTE_32F_FAST_TF32;
  return precision_ == Precision::bf16 ? CUBLAS_COMPUTE_32F_FAST_16BF : CUBLAS_COMPUTE_32F;
}

template <class Real>
void MatrixProducts::multiply(Index rows, Index columns, Index inner, Factor<Real> a, Factor<Real> b, Real* c,
                              Index c_stride, bool accumulate) {
  if (rows == 0 || columns == 0) return;
  const Real one = 1, beta = accumulate ? 1 : 0;
  require_success(library_.gemm(handle_, operation(b.transposed), operation(a.transposed), static_cast<int>(columns),
                                static_cast<int>(rows), static_cast<int>(inner), &one, b.data, kType<Real>,
                                static_cast<int>(b.stride), a.data, kType<Real>, static_cast<int>(a.stride), &beta, c,
                                kType<Real>, static_cast<int>(c_stride), compute_type<Real>(), CUBLAS_GEMM_DEFAULT));
}

template <class Real>
void MatrixProducts::multiply_batch(Index rows, Index columns, Index inner, Factor<Real> a, Index a_step,
                                    Factor<Real> b, Index b_step, Real* c, Index c_stride, Index c_step, Index count) {
  if (count == 0) return;
  const Real one = 1, zero = 0;
  require_success(library_.gemm_strided_batched(
      handle_, operation(b.transposed), operation(a.transposed), static_cast<int>(columns), static_cast<int>(rows),
      static_cast<int>(inner), &one, b.data, kType<Real>, static_cast<int>(b.stride), b_step, a.data, kType<Real>,
      static_cast<int>(a.stride), a_step, &zero, c, kType<Real>, static_cast<int>(c_stride), c_step,
      static_cast<int>(count), compute_type<Real>(), CUBLAS_GEMM_DEFAULT));
}

#define AGPT_INSTANTIATE(Real)                                                                                       \
  template void MatrixProducts::multiply(Index, Index, Index, Factor<Real>, Factor<Real>, Real*, Index, bool);       \
  template void MatrixProducts::multiply_batch(Index, Index, Index, Factor<Real>, Index, Factor<Real>, Index, Real*, \
                                               Index, Index, Index);
AGPT_INSTANTIATE(float)
AGPT_INSTANTIATE(double)
#undef AGPT_INSTANTIATE

}  // namespace agpt::cuda
