// The only file that names every backend.
#include "cpp/backend/backend.h"
#include "cpp/backend/cpu/cpu_backend.h"
#include "cpp/backend/reference/reference_backend.h"
#include "cpp/base/error.h"
#include "cpp/base/memory.h"
#include "cuda/cuda_backend.h"

namespace agpt {
namespace {

void require_no_device_options(const std::string& name, const BackendOptions& options) {
  AGPT_REQUIRE(options.precision == Precision::full,
               "tf32 and bf16 are precisions of the backend cuda, not of '" + name + "'");
  AGPT_REQUIRE(options.memory_cap == 0, "a cap of device memory is for the backend cuda, not for '" + name + "'");
}

}  // namespace

std::vector<std::string> backend_names() { return {"reference", "cpu", "cuda"}; }

template <class Real>
std::unique_ptr<Backend<Real>> make_backend(const std::string& name, const ModelShape& shape,
                                            const BackendOptions& options) {
  if (name == "cuda") {
    BackendOptions capped = options;
    if (capped.memory_cap == 0) capped.memory_cap = static_cast<Index>(memory_cap());
    return make_cuda_backend<Real>(shape, capped);
  }
  require_no_device_options(name, options);
  if (name == "reference") return make_reference_backend<Real>(shape);
  if (name == "cpu") return make_cpu_backend<Real>(shape);
  if (name.starts_with("cpu:")) return make_cpu_backend<Real>(shape, name.substr(4));
  throw ArgumentError("no backend is called '" + name + "': choose reference, cpu or cuda");
}

template std::unique_ptr<Backend<float>> make_backend<float>(const std::string&, const ModelShape&,
                                                             const BackendOptions&);
template std::unique_ptr<Backend<double>> make_backend<double>(const std::string&, const ModelShape&,
                                                               const BackendOptions&);

}  // namespace agpt
