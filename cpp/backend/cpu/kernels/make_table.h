// Gathers the kernels of the instruction set being compiled into its table.
#pragma once

#include "cpp/backend/cpu/kernels/attend_heads.h"
#include "cpp/backend/cpu/kernels/attention.h"
#include "cpp/backend/cpu/kernels/elementwise.h"
#include "cpp/backend/cpu/kernels/matmul.h"
#include "cpp/backend/cpu/kernels/multiply_rows.h"
#include "cpp/backend/cpu/kernels/parameters.h"
#include "cpp/backend/cpu/kernels/table_rows.h"
#include "cpp/backend/cpu/kernels/weight_gradient.h"

namespace agpt::AGPT_KERNELS_NAMESPACE {

template <class Real>
KernelTable<Real> make_table(const char* name) {
  KernelTable<Real> table;
  table.name = name;
  table.lanes = kLanes<Real>;
  table.panel_width = static_cast<int>(kPanelWidth<Real>);
  table.packed_size = packed_size<Real>;
  table.pack_panels = pack_panels<Real>;
  table.matmul = matmul<Real>;
  table.matmul_transposed = matmul_transposed<Real>;
  table.column_sums = column_sums<Real>;
  table.norm = norm<Real>;
  table.norm_backward = norm_backward<Real>;
  table.look_up_rows = look_up_rows<Real>;
  table.add_to_table_rows = add_to_table_rows<Real>;
  table.rotate_pairs = rotate_pairs<Real>;
  table.add = add<Real>;
  table.optimizer_loops = {update_tensor<Real>, add_gradients<Real>};
  table.attend = attend<Real>;
  table.attend_backward = attend_backward<Real>;
  table.attend_one_head = attend_one_head<Real>;
  table.attend_four_heads = kLanes<Real> >= kHeadsTogether ? attend_four_heads<Real> : nullptr;
  table.multiply_rows = multiply_rows<Real>;
  table.log_sum_exp = log_sum_exp<Real>;
  return table;
}

}  // namespace agpt::AGPT_KERNELS_NAMESPACE
