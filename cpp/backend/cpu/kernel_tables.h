// The tables that the kernels_*.cpp files define. Only kernel_select.cpp calls them, after asking the processor.
#pragma once

#include "cpp/backend/cpu/kernel_table.h"

namespace agpt {

const KernelTable<float>& generic_kernels_float();
const KernelTable<double>& generic_kernels_double();
const KernelTable<float>& avx2_kernels_float();
const KernelTable<double>& avx2_kernels_double();
const KernelTable<float>& avx512_kernels_float();
const KernelTable<double>& avx512_kernels_double();

}  // namespace agpt
