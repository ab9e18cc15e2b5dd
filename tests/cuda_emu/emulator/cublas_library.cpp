// The emulated build's cuBLAS is linked, not loaded.
#include "cuda/runtime/cublas_library.h"

namespace agpt::cuda {

const CublasLibrary& cublas_library() {
  static const CublasLibrary library{cublasCreate_v2,           cublasDestroy_v2,      cublasSetStream_v2,
                                     cublasSetWorkspace_v2,     cublasGetStatusString, cublasGemmEx,
                                     cublasGemmStridedBatchedEx};
  return library;
}

}  // namespace agpt::cuda
