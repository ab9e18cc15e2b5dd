// The kernels compiled for generic (flags in cpp/CMakeLists.txt).
#define AGPT_KERNELS_NAMESPACE kernels_generic
#define AGPT_VECTOR_BYTES 16
#include "cpp/backend/cpu/kernel_tables.h"
#include "cpp/backend/cpu/kernels/make_table.h"

namespace agpt {

const KernelTable<float>& generic_kernels_float() {
  static const KernelTable<float> table = kernels_generic::make_table<float>("generic");
  return table;
}

const KernelTable<double>& generic_kernels_double() {
  static const KernelTable<double> table = kernels_generic::make_table<double>("generic");
  return table;
}

}  // namespace agpt
