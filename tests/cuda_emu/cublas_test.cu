// The emulated matrix products against sums written out.
#include <cublas_v2.h>
#include <doctest/doctest.h>

#include <cmath>

#include "cuda/runtime/cublas_library.h"
#include "tests/cuda_emu/emulated.h"
#include "tests/cuda_emu/emulator/access_check.h"

using namespace cuda_emu_test;

namespace {

constexpr int kM = 3, kN = 4, kK = 5;

std::vector<float> some(size_t n, float phase) {
  std::vector<float> values(n);
  for (size_t i = 0; i < n; ++i) values[i] = std::sin(phase + static_cast<float>(i));
  return values;
}

struct Handle {
  Handle() { agpt::cuda::cublas_library().create(&get); }
  ~Handle() { agpt::cuda::cublas_library().destroy(get); }
  cublasHandle_t get = nullptr;
};

cublasStatus_t multiply(const Handle& handle, bool ta, bool tb, const float* a, const float* b, float beta, float* c,
                        cublasComputeType_t compute) {
  const float alpha = 2;
  return agpt::cuda::cublas_library().gemm(handle.get, ta ? CUBLAS_OP_T : CUBLAS_OP_N, tb ? CUBLAS_OP_T : CUBLAS_OP_N,
                                           kM, kN, kK, &alpha, a, CUDA_R_32F, 6, b, CUDA_R_32F, 6, &beta, c, CUDA_R_32F,
                                           kM, compute, CUBLAS_GEMM_DEFAULT);
}

}  // namespace

TEST_CASE("a product is the sum over the inner index, transposed or not") {
  const Handle handle;
  const std::vector<float> a = some(36, 1), b = some(36, 2), c = some(12, 3);
  const Device<float> da(a), db(b);
  for (bool ta : {false, true})
    for (bool tb : {false, true}) {
      const Device<float> dc(c);
      REQUIRE(multiply(handle, ta, tb, da.get(), db.get(), 0.5f, dc.get(), CUBLAS_COMPUTE_32F) ==
              CUBLAS_STATUS_SUCCESS);
      const std::vector<float> got = dc.host();
      for (size_t i = 0; i < kM; ++i)
        for (size_t j = 0; j < kN; ++j) {
          double sum = 0;
          for (size_t l = 0; l < kK; ++l)
            sum += double{ta ? a[i * 6 + l] : a[l * 6 + i]} * (tb ? b[l * 6 + j] : b[j * 6 + l]);
          CHECK(got[j * kM + i] == doctest::Approx(2 * sum + 0.5 * c[j * kM + i]).epsilon(1e-5));
        }
    }
}

TEST_CASE("a product counts its factors and what it adds to as read, and its result as written") {
  const Handle handle;
  const Device<float> a(some(36, 1)), b(some(36, 2)), c(some(12, 3));
  for (const float beta : {0.0f, 1.0f}) {
    const cuda_emu::Traffic before = cuda_emu::traffic();
    REQUIRE(multiply(handle, false, false, a.get(), b.get(), beta, c.get(), CUBLAS_COMPUTE_32F) ==
            CUBLAS_STATUS_SUCCESS);
    cudaDeviceSynchronize();
    const cuda_emu::Traffic after = cuda_emu::traffic();
    CHECK(after.read - before.read == sizeof(float) * (kM * kK + kK * kN + (beta != 0 ? kM * kN : 0)));
    CHECK(after.written - before.written == sizeof(float) * kM * kN);
  }
}

TEST_CASE("faster formats round the factors and not the sum") {
  const Handle handle;
  const std::vector<float> a(36, 1.0f + 0x1p-11f), b(36, 1.0f), c(12, 0.0f);
  const Device<float> da(a), db(b), dc(c);
  multiply(handle, false, false, da.get(), db.get(), 0, dc.get(), CUBLAS_COMPUTE_32F);
  CHECK(dc.host()[0] == 10 * (1.0f + 0x1p-11f));
  multiply(handle, false, false, da.get(), db.get(), 0, dc.get(), CUBLAS_COMPUTE_32F_FAST_TF32);
  CHECK(dc.host()[0] == 10.0f);
}

TEST_CASE("a product with beta 0 does not read what it writes") {
  const Handle handle;
  const Device<float> da(some(36, 1)), db(some(36, 2)), dc(12);
  multiply(handle, false, false, da.get(), db.get(), 0, dc.get(), CUBLAS_COMPUTE_32F);
  CHECK(cudaDeviceSynchronize() == cudaSuccess);
  for (float value : dc.host()) CHECK(std::isfinite(value));
}

TEST_CASE("a product of memory outside an allocation is a fault") {
  const Handle handle;
  const Device<float> da(some(20, 1)), db(some(36, 2)), dc(12);
  multiply(handle, false, false, da.get(), db.get(), 0, dc.get(), CUBLAS_COMPUTE_32F);
  CHECK(cudaDeviceSynchronize() == cudaErrorLaunchFailure);
  CHECK(contains(cudaGetErrorString(cudaErrorLaunchFailure), "its matrix A"));
  cuda_emu::clear_fault();
}
