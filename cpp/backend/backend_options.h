// The choices that a backend for a device has, and what it says about its work.
#pragma once

#include "cpp/base/types.h"

namespace agpt {

/// Of the factors of matrix products; sums, activations and parameters keep the type of the engine.
enum class Precision { full, tf32, bf16 };

struct BackendOptions {
  Precision precision = Precision::full;
  bool deterministic = true;  ///< The same bits in every run; otherwise sums may be in any order.
  bool graphs = true;         ///< Steps whose launches repeat are replayed as graphs: the same bits.
  Index memory_cap = 0;       ///< Bytes of device memory; 0: memory_cap(), or what the device has free.
};

/// Counts of a device's work since its backend was made.
struct DeviceStatistics {
  Index launches = 0;        ///< Kernels and library calls launched; a replayed graph counts as one.
  Index graph_launches = 0;  ///< Of these, graphs.
  Index uploaded_bytes = 0;  ///< From host to device.
  Index peak_bytes = 0;      ///< Most device memory held at a time.
};

}  // namespace agpt
