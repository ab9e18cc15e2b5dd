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
  measuring,  // what the measurement itself takes
  count
};
constexpr auto kStages = static_cast<size_t>(Stage::count);

constexpr std::array<std::string_view, kStages> kStageNames = {
    "matrix forward",     "matrix dX",      "matrix dW",     "attention forward",
    "attention backward", "norm forward",   "norm backward", "rotation",
    "embedding",          "loss",           "clearing",      "batch building",
    "gradient slots",     "weight packing", "update",        "measuring"};

/// CPU-seconds of the calling thread: what it waited for its core does not count.
inline double thread_seconds() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

/// What a call of thread_seconds() takes: about half a microsecond, for it asks the kernel.
inline double seconds_of_a_reading() {
  constexpr int kReadings = 1000;
  const double begin = thread_seconds();
  double end = begin;
  for (int i = 0; i < kReadings; ++i) end = thread_seconds();
  return (end - begin) / kReadings;
}

struct StageTotals {
  double seconds = 0, flops = 0, bytes = 0;
};

/// One thread's totals. Bytes are those of the operands, each read or written once. Of the two readings that time a stage
/// one falls into its interval; both are taken from the stages and the rest.
class StageClock {
 public:
  template <class Work>
  decltype(auto) time(Stage stage, double flops, double bytes, Work work) {
    StageTotals& total = totals_[static_cast<size_t>(stage)];
    total.flops += flops;
    total.bytes += bytes;
    const Timer timer(*this, total);
    return work();
  }

  const StageTotals& operator[](Stage stage) const { return totals_[static_cast<size_t>(stage)]; }
  void reset() { totals_ = {}; }

 private:
  struct Timer {
    Timer(StageClock& clock, StageTotals& total) : clock_(clock), total_(total), begin_(thread_seconds()) {}
    ~Timer() {
      total_.seconds += thread_seconds() - begin_ - clock_.reading_;
      clock_.totals_[static_cast<size_t>(Stage::measuring)].seconds += 2 * clock_.reading_;
    }
    StageClock& clock_;
    StageTotals& total_;
    double begin_;
  };
  std::array<StageTotals, kStages> totals_;
  const double reading_ = seconds_of_a_reading();
};

}  // namespace agpt::roofline
