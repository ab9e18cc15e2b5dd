// The kernels compiled for avx2 (flags in cpp/CMakeLists.txt).
#define AGPT_KERNELS_NAMESPACE kernels_avx2
#define AGPT_VECTOR_BYTES 32
#include "cpp/backend/cpu/kernel_tables.h"
#include "cpp/backend/cpu/kernels/make_table.h"

namespace agpt {

const KernelTable<float>& avx2_kernels_float() {
  static const KernelTable<float> table = kernels_avx2::make_table<float>("avx2");
  return table;
}

const KernelTable<double>& avx2_kernels_double() {
  static const KernelTable<double> table = kernels_avx2::make_table<double>("avx2");
  return table;
}

}  // namespace agpt
