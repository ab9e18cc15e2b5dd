// What this machine can do at this moment: the rates that a stage is measured against, in GFLOP per CPU-second.
#pragma once

#include "benchmarks/roofline/stage_clock.h"

namespace agpt::roofline {

/// GFLOP per CPU-second of `work`, which does `flops` operations. Best of several: a neighbour can only take away.
template <class Work>
double gflops(double flops, Work work) {
  constexpr double kSeconds = 0.1;
  double best = 0;
  for (int round = 0; round < 5; ++round) {
    double done = 0, begin = thread_seconds(), used = 0;
    while ((used = thread_seconds() - begin) < kSeconds / 5) {
      work();
      done += flops;
    }
    best = done / used > best ? done / used : best;
  }
  return best / 1e9;
}

/// Multiply-adds in registers, with the widest vectors that the processor has.
double multiply_add_peak();

/// The engine's own product of (96, 64) and (64, 256) matrices, which lie in the first- and second-level cache.
double matrix_rate();

}  // namespace agpt::roofline
