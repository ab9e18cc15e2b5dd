// The kernels compiled for avx512 (flags in cpp/CMakeLists.txt).
#define AGPT_KERNELS_NAMESPACE kernels_avx512
#define AGPT_VECTOR_BYTES 64
#include "cpp/backend/cpu/kernel_tables.h"
#include "cpp/backend/cpu/kernels/make_table.h"

namespace agpt {

const KernelTable<float>& avx512_kernels_float() {
  static const KernelTable<float> table = kernels_avx512::make_table<float>("avx512");
  return table;
}

const KernelTable<double>& avx512_kernels_double() {
  static const KernelTable<double> table = kernels_avx512::make_table<double>("avx512");
  return table;
}

}  // namespace agpt
