#include "cuda/cuda_backend.h"

#include <algorithm>
#include <type_traits>

#include "cuda/device_stream.h"
#include "cuda/device_training_state.h"

namespace agpt {
namespace {

using cuda::DeviceGradient;
using cuda::DeviceModel;
using cuda::DeviceStream;

// So many rows keep the largest device busy and make the launches of a batch cheap beside its work.
constexpr Index kJoinedRows = Index{1} << 18;
constexpr int kOldestMajor = 8;  // compute capability

std::string precision_name(Precision precision, bool is_float) {
  if (!is_float) return "float64";
  return precision == Precision::tf32   ? "float32 with tf32 products"
         : precision == Precision::bf16 ? "float32 with bf16 products"
                                        : "float32";
}

/// Chooses the first device; DeviceError where there is none that will do.
std::string choose_device() {
  int count = 0;
  const cudaError_t result = cudaGetDeviceCount(&count);
  if (result != cudaSuccess || count == 0) {
    cudaGetLastError();  // it has been seen
    throw DeviceError(std::string("no usable GPU was found (") +
                      (result != cudaSuccess ? cudaGetErrorString(result) : "the driver lists none") +
                      "): install NVIDIA's driver or choose --backend cpu");
  }
  AGPT_CUDA_CHECK(cudaSetDevice(0));
  cudaDeviceProp properties{};
  AGPT_CUDA_CHECK(cudaGetDeviceProperties(&properties, 0));
  if (properties.major < kOldestMajor)
    throw DeviceError(std::string("the GPU ") + properties.name + " has compute capability " +
                      std::to_string(properties.major) + "." + std::to_string(properties.minor) +
                      ", but this backend needs 8.0 (Ampere) or newer: choose --backend cpu");
  return properties.name;
}

template <class Real>
class CudaBackend final : public Backend<Real> {
 public:
  CudaBackend(const ModelShape& shape, const BackendOptions& options)
      : device_(choose_device()), model_(shape, options) {
    AGPT_REQUIRE((std::is_same_v<Real, float>) || options.precision == Precision::full,
                 "tf32 and bf16 are precisions of float32, not of float64");
  }

  std::string description() const override {
    return "cuda (" + device_ + ", " + precision_name(model_.options().precision, std::is_same_v<Real, float>) + ")";
  }
  int tile_rows() const override { return cuda::kTileRows; }
  int max_streams(int) const override { return 1; }
  Index joined_rows() const override { return kJoinedRows; }
  // Beside what attend() keeps, the gradients of a tile's path keys and their sums, which all layers use in turn: counted
  // for each, so above what is needed.
  Index saved_attention_per_row(Index context) const override {
    const Index path_keys = (context + cuda::kTileRows - 1) / cuda::kTileRows;
    return static_cast<Index>(model_.shape().heads.size()) + (path_keys + 1) * 2 * model_.model_width();
  }
  Index activation_memory() const override {
    size_t free = 0, total = 0;
    AGPT_CUDA_CHECK(cudaMemGetInfo(&free, &total));
    auto left = static_cast<Index>(free);
    if (model_.options().memory_cap > 0) left = std::min(left, model_.options().memory_cap - model_.memory().used());
    return std::max<Index>(1, (left - DeviceStream<Real>::fixed_bytes(model_)) / 8 * 7);
  }

  void set_parameters(std::span<const Real> flat) override {
    model_.write(flat.data(), model_.flat(), static_cast<Index>(flat.size()));
  }
  std::unique_ptr<Stream<Real>> make_stream() override { return std::make_unique<DeviceStream<Real>>(model_); }
  std::unique_ptr<Gradient<Real>> make_gradient() override { return std::make_unique<DeviceGradient<Real>>(model_); }
  std::unique_ptr<TrainingState<Real>> make_training_state(const TrainingArrays<Real>& arrays) override {
    return cuda::make_device_training_state(model_, arrays);
  }
  DeviceStatistics statistics() const override { return model_.statistics(); }

 private:
  const std::string device_;
  DeviceModel<Real> model_;
};

}  // namespace

template <class Real>
std::unique_ptr<Backend<Real>> make_cuda_backend(const ModelShape& shape, const BackendOptions& options) {
  return std::make_unique<CudaBackend<Real>>(shape, options);
}

template std::unique_ptr<Backend<float>> make_cuda_backend<float>(const ModelShape&, const BackendOptions&);
template std::unique_ptr<Backend<double>> make_cuda_backend<double>(const ModelShape&, const BackendOptions&);

}  // namespace agpt
