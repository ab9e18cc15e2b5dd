// Owners of CUDA streams and events.
#pragma once

#include <utility>

#include "cuda/runtime/check.h"

namespace agpt::cuda {

/// A CUDA stream that does not wait for the default stream.
class StreamHandle {
 public:
  StreamHandle() { AGPT_CUDA_CHECK(cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking)); }
  ~StreamHandle() { cudaStreamDestroy(stream_); }  // an error here is one of an earlier call, which has thrown
  StreamHandle(const StreamHandle&) = delete;
  StreamHandle& operator=(const StreamHandle&) = delete;

  cudaStream_t get() const { return stream_; }
  void wait() const { AGPT_CUDA_CHECK(cudaStreamSynchronize(stream_)); }

 private:
  cudaStream_t stream_ = nullptr;
};

/// A point in a stream's work. One that was never recorded has passed.
class EventHandle {
 public:
  EventHandle() { AGPT_CUDA_CHECK(cudaEventCreateWithFlags(&event_, cudaEventDisableTiming)); }
  ~EventHandle() { cudaEventDestroy(event_); }
  EventHandle(const EventHandle&) = delete;
  EventHandle& operator=(const EventHandle&) = delete;

  void record(cudaStream_t stream) { AGPT_CUDA_CHECK(cudaEventRecord(event_, stream)); }
  /// What is put into `stream` from now on waits for the point; the host does not.
  void hold(cudaStream_t stream) const { AGPT_CUDA_CHECK(cudaStreamWaitEvent(stream, event_, 0)); }
  void wait() const { AGPT_CUDA_CHECK(cudaEventSynchronize(event_)); }

 private:
  cudaEvent_t event_ = nullptr;
};

}  // namespace agpt::cuda
