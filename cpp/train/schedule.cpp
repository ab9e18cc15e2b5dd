#include "cpp/train/schedule.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <string>

#include "cpp/base/error.h"

namespace agpt {

void Schedule::validate() const {
  AGPT_REQUIRE(base > 0 && std::isfinite(base),
               "the learning rate is " + std::to_string(base) + ", but must be a positive number");
  AGPT_REQUIRE(min_ratio >= 0 && min_ratio <= 1,
               "the least learning rate is a share from 0 to 1 of the base, not " + std::to_string(min_ratio));
  AGPT_REQUIRE(warmup_steps >= 0, "warmup_steps must be at least 0");
}

double Schedule::learning_rate(Index step) const {
  if (step < warmup_steps) return base * static_cast<double>(step + 1) / static_cast<double>(warmup_steps);
  if (kind == ScheduleKind::constant || total_steps <= warmup_steps) return base;
  const double done =
      std::min(1.0, static_cast<double>(step - warmup_steps) / static_cast<double>(total_steps - warmup_steps));
  const double left = kind == ScheduleKind::cosine ? (1 + std::cos(std::numbers::pi * done)) / 2 : 1 - done;
  return base * (min_ratio + (1 - min_ratio) * left);
}

}  // namespace agpt
