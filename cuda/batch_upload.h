// A batch on its way to the device: packed into pinned memory and copied at once, on a stream of its own, while the device
// computes the batch before.
#pragma once

#include <array>
#include <optional>
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
    for (Slot& slot : slots_) slot.memory.emplace_back(memory, "a batch of rows");
  }

  /// Packs and copies the batch of the next call of begin(), which may be of another one after all. The host waits only
  /// where it is two batches ahead.
  void send(const BatchView& batch, bool with_gradient);
  /// What was sent ahead is not of use any more.
  void forget_sent() { sent_.reset(); }

  /// Makes the batch the one that batch() tells of, and sends it if that was not done. What is put into `stream` from now
  /// on waits for its copy; its arrays stay until the batch after the next is sent.
  void begin(const BatchView& batch, bool with_gradient, cudaStream_t stream);

  const DeviceBatch& batch() const { return slots_[current_].batch; }
  /// (tiles + 1) the number of keys before the tiles' own rows, summed over all earlier tiles.
  const std::vector<int32_t>& path_begin() const { return slots_[current_].path_begin; }

 private:
  struct Slot {
    PinnedBuffer host;
    std::vector<DeviceBuffer<std::byte>> memory;  // one
    DeviceBatch batch;
    std::vector<int32_t> path_begin;
    EventHandle uploaded, computed;
  };
  /// Which batch is in the slot that is not the current one.
  struct Sent {
    BatchView batch;
    bool with_gradient = false;
  };
  class Packing;

  Slot& next_slot() { return slots_[1 - current_]; }
  bool is_sent(const BatchView& batch, bool with_gradient) const;
  void list_paths(const BatchView& batch, std::vector<int32_t>& path_begin);
  void sort_rows(const BatchView& batch);
  DeviceBatch pack(Packing& packing, const BatchView& batch, const std::vector<int32_t>& path_begin,
                   bool with_gradient) const;

  std::atomic<Index>& uploaded_bytes_;
  const bool sorts_path_keys_;
  StreamHandle copies_;
  std::array<Slot, 2> slots_;
  size_t current_ = 0;
  std::optional<Sent> sent_;
  Index most_tokens_ = 0;  // different ones in a batch so far
  std::vector<int32_t> path_row_;
  std::vector<uint32_t> key_mask_;
  Segments by_token_, by_position_, by_path_key_;
};

}  // namespace agpt::cuda
