// Finding and loading cuBLAS: beside the Python package nvidia-cublas, then where the system's loader looks, then in
// the toolkit.
#include "cuda/runtime/cublas_library.h"

#include <dlfcn.h>

#include <string>
#include <vector>

#include "cpp/base/error.h"

namespace agpt::cuda {
namespace {

const std::string kVersion = std::to_string(CUBLAS_VER_MAJOR);
const std::string kLibrary = "libcublas.so." + kVersion;

/// The folder of the file that this code is in: for the extension, site-packages/agpt.
std::string own_folder() {
  Dl_info info{};
  if (!dladdr(reinterpret_cast<const void*>(&cublas_library), &info) || !info.dli_fname) return "";
  const std::string path = info.dli_fname;
  const size_t slash = path.rfind('/');
  return slash == std::string::npos ? "" : path.substr(0, slash + 1);
}

/// Folders to search, best first; "" is the loader's own path.
std::vector<std::string> places() {
  const std::string packages = own_folder() + "../nvidia/";
  return {packages + "cu" + kVersion + "/lib/", packages + "cublas/lib/", "", AGPT_CUBLAS_PACKAGE_DIR "/",
          "/usr/local/cuda/lib64/"};
}

void* open_library() {
  std::string searched;
  for (const std::string& folder : places()) {
    // libcublas needs libcublasLt, which the loader looks for elsewhere unless it is there already.
    dlopen((folder + "libcublasLt.so." + kVersion).c_str(), RTLD_NOW | RTLD_GLOBAL);
    if (void* const library = dlopen((folder + kLibrary).c_str(), RTLD_NOW | RTLD_LOCAL)) return library;
    searched += (searched.empty() ? "" : ", ") + (folder.empty() ? std::string("the loader's path") : folder);
  }
  throw DeviceError(kLibrary + " was not found (searched " + searched + "): pip install " +
                    (CUBLAS_VER_MAJOR >= 13 ? "nvidia-cublas" : "nvidia-cublas-cu" + kVersion));
}

template <class Function>
void find(void* library, const char* name, Function& function) {
  function = reinterpret_cast<Function>(dlsym(library, name));
  if (!function) throw DeviceError(kLibrary + " has no function " + name + ": install cuBLAS " + kVersion);
}

CublasLibrary load() {
  void* const library = open_library();
  CublasLibrary functions{};
  find(library, "cublasCreate_v2", functions.create);
  find(library, "cublasDestroy_v2", functions.destroy);
  find(library, "cublasSetStream_v2", functions.set_stream);
  find(library, "cublasSetWorkspace_v2", functions.set_workspace);
  find(library, "cublasGetStatusString", functions.status_string);
  find(library, "cublasGemmEx", functions.gemm);
  find(library, "cublasGemmStridedBatchedEx", functions.gemm_strided_batched);
  return functions;
}

}  // namespace

const CublasLibrary& cublas_library() {
  static const CublasLibrary library = load();
  return library;
}

}  // namespace agpt::cuda
