// Learning rate by step.
#pragma once

#include "cpp/base/types.h"

namespace agpt {

/// With s the 0-based step, S the total, w the warm-up steps, m = min_ratio:
///   constant       base
///   cosine         base * (m + (1-m) (1 + cos(pi s/S)) / 2)
///   warm-up        base * (s+1)/w while s < w; the schedule proper then runs over the remaining S-w steps
///   linear         base * (m + (1-m) (1 - s/S))
/// A warm-up may precede every kind ("warmup-cosine"). Beyond step S the rate stays at its last value.
enum class ScheduleKind { constant, cosine, linear };

struct Schedule {
  ScheduleKind kind = ScheduleKind::constant;
  double base = 3e-4;
  double min_ratio = 0;  ///< The last rate as a share of the base.
  Index warmup_steps = 0;
  Index total_steps = 0;

  void validate() const;
  double learning_rate(Index step) const;
};

}  // namespace agpt
