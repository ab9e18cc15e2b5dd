// A batch on its way to the device: packed into pinned memory and copied at once, on a stream of its own, while the device
// computes the batch before.
#pragma once

#include <array>
#include <vector>

#include "cpp/backend/backend.h"
#include "cuda/kernels/attention.h"
#include "cuda/kernels/cross_entropy.h"
#include "cuda/kernels/segmented_sum.h"
#include "cuda/runtime/memory.h"
#include "cuda/runtime/stream.h"
#include "cuda/segments.h"

namespace agpt::cuda {

/// The arrays of a batch on the device. The segments are there for batches with a gradient only.
struct DeviceBatch {
  Index n_rows = 0;
  const int32_t* token = nullptr;
  const int32_t* position = nullptr;
  DeviceTiles tiles;  // of the whole batch
  DeviceTargets targets;
  SegmentsView by_token, by_position;  // rows
  SegmentsView by_path_key;            // numbers of path keys, by row of the key
};

/// Two batches at a time: one that the device computes, one that is filled.
class BatchUpload {
 public:
  /// Path keys are listed by row where `sorts_path_keys`.
  BatchUpload(MemoryCount& memory, std::atomic<Index>& uploaded_bytes, bool sorts_path_keys)
      : uploaded_bytes_(uploaded_bytes), sorts_path_keys_(sorts_path_keys) {
    for (Slot& slot : slots_) slot.device.emplace_back(memory, "a batch of rows");
  }

  /// Copies the batch; what is put into `stream` from now on waits for it, and the arrays stay until the call after the
  /// next. The host waits only where it is two batches ahead.
  void send(const BatchView& batch, bool with_gradient, cudaStream_t stream);

  const DeviceBatch& batch() const { return batch_; }
  /// (tiles + 1) the number of keys before the tiles' own rows, summed over all earlier tiles.
  const std::vector<int32_t>& path_begin() const { return path_begin_; }

 private:
  struct Slot {
    PinnedBuffer host;
    std::vector<DeviceBuffer<std::byte>> device;  // one
    EventHandle uploaded, computed;
  };
  class Packing;

  void list_paths(const BatchView& batch);
  void sort_rows(const BatchView& batch);
  void pack(Packing& packing, const BatchView& batch, bool with_gradient);

  std::atomic<Index>& uploaded_bytes_;
  const bool sorts_path_keys_;
  StreamHandle copies_;
  std::array<Slot, 2> slots_;
  int current_ = 1;
  bool is_first_ = true;
  DeviceBatch batch_;
  Index most_tokens_ = 0;  // different ones in a batch so far
  std::vector<int32_t> path_begin_, path_row_;
  std::vector<uint32_t> key_mask_;
  Segments by_token_, by_position_, by_path_key_;
};

}  // namespace agpt::cuda
