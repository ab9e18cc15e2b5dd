// Queues of work that run when something waits for them, events between them, and graphs that repeat them.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "tests/cuda_emu/emulator/runtime_api.h"

namespace cuda_emu {

using Work = std::function<void()>;

}  // namespace cuda_emu

struct CUgraph_st {
  std::vector<cuda_emu::Work> work;
};
struct CUgraphExec_st {
  std::vector<cuda_emu::Work> work;
};
struct CUstream_st {
  bool blocking = true;  // the default stream waits for it
  uint64_t queued = 0, done = 0;
  std::deque<cuda_emu::Work> pending;
  std::shared_ptr<CUgraph_st> capture;  // where work goes instead of running
};
struct CUevent_st {
  std::shared_ptr<CUstream_st> stream;  // null until recorded
  uint64_t position = 0;                // how much of the stream's work it stands for
  std::shared_ptr<CUgraph_st> capture;
  double seconds = 0;  // when it was reached
};

namespace cuda_emu {

/// The stream behind a handle; null is the default stream. Null if it does not exist.
std::shared_ptr<CUstream_st> find_stream(cudaStream_t handle);
std::shared_ptr<CUstream_st> create_stream(bool blocking);
void destroy_stream(cudaStream_t handle);

/// Queues work, and runs as much of the queue as the order of AGPT_EMU_ORDER lets run now.
void enqueue(CUstream_st& stream, Work work);
/// Runs the stream's work up to `position`.
void drain(CUstream_st& stream, uint64_t position);
void drain(CUstream_st& stream);
void drain_all();
/// Runs what the default stream waits for: the work of all blocking streams.
void drain_blocking();
bool any_capture();
/// Ends the capture into `graph` for every stream that takes part.
void leave_capture(std::shared_ptr<CUgraph_st> graph);

}  // namespace cuda_emu
