// What each stage of a training step took: CPU-seconds of the calling thread, floating-point operations, bytes.
#pragma once

#include <ctime>

#include <array>
#include <string_view>

#include "cpp/base/types.h"

namespace agpt::roofline {

enum class Stage {
  matrix_forward,
  matrix_input_gradient,
  matrix_weight_gradient,
  attention_forward,
  attention_backward,
  norm_forward,
  norm_backward,
  rotation,
  embedding,
  loss,
  clearing,
  batch_building,
  gradient_slots,
  weight_packing,
  update,
  count
};
constexpr auto kStages = static_cast<size_t>(Stage::count);

constexpr std::array<std::string_view, kStages> kStageNames = {
    "matrix forward", "matrix dX",      "matrix dW",      "attention forward", "attention backward",
    "norm forward",   "norm backward",  "rotation",       "embedding",         "loss",
    "clearing",       "batch building", "gradient slots", "weight packing",    "update"};

/// CPU-seconds of the calling thread: what it waited for its core does not count.
inline double thread_seconds() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

struct StageTotals {
  double seconds = 0, flops = 0, bytes = 0;
};

/// One thread's totals. Bytes are those of the operands, each read or written once.
class StageClock {
 public:
  template <class Work>
  decltype(auto) time(Stage stage, double flops, double bytes, Work work) {
    StageTotals& total = totals_[static_cast<size_t>(stage)];
    total.flops += flops;
    total.bytes += bytes;
    const Timer timer(total);
    return work();
  }

  const StageTotals& operator[](Stage stage) const { return totals_[static_cast<size_t>(stage)]; }
  void reset() { totals_ = {}; }

 private:
  struct Timer {
    explicit Timer(StageTotals& total) : total_(total), begin_(thread_seconds()) {}
    ~Timer() { total_.seconds += thread_seconds() - begin_; }
    StageTotals& total_;
    double begin_;
  };
  std::array<StageTotals, kStages> totals_;
};

}  // namespace agpt::roofline
