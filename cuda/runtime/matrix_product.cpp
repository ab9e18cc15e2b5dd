#include "cuda/runtime/matrix_product.h"

#include <type_traits>

namespace agpt::cuda {
namespace {

template <class Real>
constexpr cudaDataType_t kType = std::is_same_v<Real, float> ? CUDA_R_32F : CUDA_R_64F;

// A row-major matrix is the column-major transpose of itself: the product c = a b is computed as c' = b' a'.
cublasOperation_t operation(bool transposed) { return transposed ? CUBLAS_OP_T : CUBLAS_OP_N; }

}  // namespace

template <class Real>
class MatrixProducts::Call final : public Launch {
 public:
  Call(const MatrixProducts& products, const Product<Real>& product) : products_(products), product_(product) {}

  void make(cudaStream_t) const override {
    const Product<Real>& p = product_;
    const CublasLibrary& library = products_.library_;
    const Real one = 1, beta = p.accumulate ? 1 : 0;
    const auto number = [](Index value) { return static_cast<int>(value); };
    const cublasOperation_t left = operation(p.b.transposed), right = operation(p.a.transposed);
    const cublasComputeType_t type = products_.compute_type<Real>();
    products_.require_success(
        p.count == 1
            ? library.gemm(products_.handle_, left, right, number(p.columns), number(p.rows), number(p.inner), &one,
                           p.b.data, kType<Real>, number(p.b.stride), p.a.data, kType<Real>, number(p.a.stride), &beta,
                           p.c, kType<Real>, number(p.c_stride), type, CUBLAS_GEMM_DEFAULT)
            : library.gemm_strided_batched(products_.handle_, left, right, number(p.columns), number(p.rows),
                                           number(p.inner), &one, p.b.data, kType<Real>, number(p.b.stride), p.b_step,
                                           p.a.data, kType<Real>, number(p.a.stride), p.a_step, &beta, p.c, kType<Real>,
                                           number(p.c_stride), p.c_step, number(p.count), type, CUBLAS_GEMM_DEFAULT));
  }

  bool equals(const Launch& other) const override {
    const auto* const same = dynamic_cast<const Call*>(&other);
    return same != nullptr && &products_ == &same->products_ && product_ == same->product_;
  }

 private:
  const MatrixProducts& products_;
  Product<Real> product_;
};

MatrixProducts::MatrixProducts(MemoryCount& memory, Precision precision, cudaStream_t stream)
    : library_(cublas_library()),
      precision_(precision),
      workspace_(memory, "the workspace of matrix products", kWorkspaceBytes) {
  require_success(library_.create(&handle_));
  require_success(library_.set_stream(handle_, stream));
  require_success(library_.set_workspace(handle_, workspace_.get(), static_cast<size_t>(workspace_.bytes())));
}

MatrixProducts::~MatrixProducts() {
  if (handle_ != nullptr) library_.destroy(handle_);
}

void MatrixProducts::require_success(cublasStatus_t status) const {
  if (status != CUBLAS_STATUS_SUCCESS)
    throw DeviceError(std::string("a matrix product on the GPU failed: ") + library_.status_string(status));
}

template <class Real>
cublasComputeType_t MatrixProducts::compute_type() const {
  if (!std::is_same_v<Real, float>) return CUBLAS_COMPUTE_64F;
  if (precision_ == Precision::tf32) return CUBLAS_COMPUTE_32F_FAST_TF32;
  return precision_ == Precision::bf16 ? CUBLAS_COMPUTE_32F_FAST_16BF : CUBLAS_COMPUTE_32F;
}

template <class Real>
void MatrixProducts::multiply(const Queue& queue, const Product<Real>& product) {
  if (product.rows == 0 || product.columns == 0 || product.count == 0) return;
  put(queue, Call<Real>(*this, product));
}

template void MatrixProducts::multiply(const Queue&, const Product<float>&);
template void MatrixProducts::multiply(const Queue&, const Product<double>&);

}  // namespace agpt::cuda
