// Rows of the first layer by tables (cpp/backend/embedding_tables.h): the sum of two rows, scaled by the norm of a third.
#pragma once

#include "cpp/backend/cpu/kernels/elementwise.h"

namespace agpt::AGPT_KERNELS_NAMESPACE {

template <class Real>
void look_up_rows(const TableRowsArgs<Real>& args) {
  for (Index r = 0; r < args.rows; ++r) {
    const RowScale<Real> row = row_scale(args.subtract_mean, args.epsilon, args.inputs, args.x + r * args.x_stride);
    Real* statistics = args.statistics + r * args.statistics_stride;
    statistics[0] = row.mean;
    statistics[1] = row.scale;
    const Real *by_token = args.by_token + args.token[r] * args.table_stride,
               *by_position = args.by_position + args.position[r] * args.table_stride;
    Real* y = args.y + r * args.y_stride;
    const Vector<Real> scale = broadcast<Real>(row.scale);
    for (Index c = 0; c < args.outputs; c += kLanes<Real>)
      store(y + c, scale * (load(by_token + c) + load(by_position + c)) + load(args.constant + c));
  }
}

template <class Real>
void add_to_table_rows(const TableRowsArgs<Real>& args) {
  const Vector<Real> zero{};
  for (Index r = 0; r < args.rows; ++r) {
    const Real *statistics = args.statistics + r * args.statistics_stride, *y = args.y + r * args.y_stride,
               *dy = args.dy + r * args.dy_stride;
    Real *token_sum = args.token_sums + args.token[r] * args.table_stride,
         *position_sum = args.position_sums + args.position[r] * args.table_stride;
    const Vector<Real> scale = broadcast<Real>(statistics[1]);
    Vector<Real> along{};  // the norm's direction
    for (Index c = 0; c < args.outputs; c += kLanes<Real>) {
      const Vector<Real> g = load(dy + c), scaled = scale * g;
      along += g * (load(y + c) - load(args.constant + c));
      store(token_sum + c, load(token_sum + c) + scaled);
      store(position_sum + c, load(position_sum + c) + scaled);
    }
    const Vector<Real> share = broadcast<Real>(statistics[1] * statistics[1] * sum_of_lanes<Real>(along) /
                                               static_cast<Real>(args.inputs)),
                       centre = broadcast<Real>(statistics[0]);
    const Real* x = args.x + r * args.x_stride;
    Real* dx = args.dx + r * args.dx_stride;
    for_each_vector<Real>(args.inputs, [&](Index c, Mask<Real> used) {
      store(dx + c, load(dx + c) - (used ? share * (load(x + c) - centre) : zero));
    });
  }
}

}  // namespace agpt::AGPT_KERNELS_NAMESPACE
