// The absent CUDA backend: the same symbols, an honest error.
#include "cpp/base/error.h"
#include "cuda/cuda_backend.h"

namespace agpt {

template <class Real>
std::unique_ptr<Backend<Real>> make_cuda_backend(const ModelShape&, const BackendOptions&) {
  throw DeviceError("this build of agpt has no CUDA backend, because " AGPT_CUDA_ABSENCE "; choose --backend cpu");
}

template std::unique_ptr<Backend<float>> make_cuda_backend<float>(const ModelShape&, const BackendOptions&);
template std::unique_ptr<Backend<double>> make_cuda_backend<double>(const ModelShape&, const BackendOptions&);

}  // namespace agpt
