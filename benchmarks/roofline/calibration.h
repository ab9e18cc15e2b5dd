// What this machine can do at this moment: the rates that a stage is measured against, in GFLOP per CPU-second.
#pragma once

namespace agpt::roofline {

/// Multiply-adds in registers, with the widest vectors that the processor has.
double multiply_add_peak();

/// The engine's own product of (96, 64) and (64, 256) matrices, which lie in the first- and second-level cache.
double matrix_rate();

}  // namespace agpt::roofline
