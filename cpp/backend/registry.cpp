// The only file that names every backend.
#include "cpp/backend/backend.h"
#include "cpp/backend/cpu/cpu_backend.h"
#include "cpp/backend/reference/reference_backend.h"
#include "cpp/base/error.h"
#include "cuda/cuda_backend.h"

namespace agpt {

std::vector<std::string> backend_names() { return {"reference", "cpu", "cuda"}; }

template <class Real>
std::unique_ptr<Backend<Real>> make_backend(const std::string& name, const ModelShape& shape) {
  if (name == "reference") return make_reference_backend<Real>(shape);
  if (name == "cpu") return make_cpu_backend<Real>(shape);
  if (name.starts_with("cpu:")) return make_cpu_backend<Real>(shape, name.substr(4));
  if (name == "cuda") return make_cuda_backend<Real>(shape);
  throw ArgumentError("no backend is called '" + name + "': choose reference, cpu or cuda");
}

template std::unique_ptr<Backend<float>> make_backend<float>(const std::string&, const ModelShape&);
template std::unique_ptr<Backend<double>> make_backend<double>(const std::string&, const ModelShape&);

}  // namespace agpt
