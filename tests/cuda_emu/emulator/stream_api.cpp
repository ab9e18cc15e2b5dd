// The emulated runtime's streams, events and graphs.
#include <chrono>
#include <memory>

#include "tests/cuda_emu/emulator/runtime_api.h"
#include "tests/cuda_emu/emulator/runtime_state.h"

using namespace cuda_emu;

cudaError_t cudaStreamCreateWithFlags(cudaStream_t* stream, unsigned flags) {
  return call([&] {
    *stream = create_stream(!(flags & cudaStreamNonBlocking)).get();
    return cudaSuccess;
  });
}

cudaError_t cudaStreamCreate(cudaStream_t* stream) { return cudaStreamCreateWithFlags(stream, cudaStreamDefault); }

cudaError_t cudaStreamDestroy(cudaStream_t stream) {
  return call([&]() -> cudaError_t {
    if (!stream || !find_stream(stream)) return cudaErrorInvalidValue;
    destroy_stream(stream);
    return cudaSuccess;
  });
}

cudaError_t cudaStreamSynchronize(cudaStream_t handle) {
  if (!handle) return waiting_call([] { drain_blocking(); });
  return waiting_call([&] {
    if (const auto stream = find_stream(handle)) drain(*stream);
  });
}

cudaError_t cudaStreamQuery(cudaStream_t handle) {
  return call([&]() -> cudaError_t {
    const auto stream = find_stream(handle);
    if (!stream) return cudaErrorInvalidValue;
    if (stream->pending.empty()) return cudaSuccess;
    drain(*stream, stream->done + 1);  // so that polling ends
    return cudaErrorNotReady;
  });
}

cudaError_t cudaStreamWaitEvent(cudaStream_t handle, cudaEvent_t event, unsigned) {
  return call([&]() -> cudaError_t {
    const auto stream = find_stream(handle);
    if (!stream || !event) return cudaErrorInvalidValue;
    if (event->capture) {
      stream->capture = event->capture;  // the stream joins the capture; its order is that of the calls
    } else if (event->stream && event->stream != stream) {
      enqueue(*stream, [other = event->stream, position = event->position] { drain(*other, position); });
    }
    return cudaSuccess;
  });
}

cudaError_t cudaLaunchHostFunc(cudaStream_t handle, void (*function)(void*), void* argument) {
  return call([&]() -> cudaError_t {
    const auto stream = find_stream(handle);
    if (!stream) return cudaErrorInvalidValue;
    enqueue(*stream, [=] { function(argument); });
    return cudaSuccess;
  });
}

cudaError_t cudaEventCreateWithFlags(cudaEvent_t* event, unsigned) {
  return call([&] {
    *event = new CUevent_st;
    return cudaSuccess;
  });
}

cudaError_t cudaEventCreate(cudaEvent_t* event) { return cudaEventCreateWithFlags(event, cudaEventDefault); }

cudaError_t cudaEventDestroy(cudaEvent_t event) {
  delete event;
  return cudaSuccess;
}

cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t handle) {
  return call([&]() -> cudaError_t {
    const auto stream = find_stream(handle);
    if (!stream || !event) return cudaErrorInvalidValue;
    event->stream = stream;
    event->capture = stream->capture;
    event->position = stream->queued;
    event->seconds = std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
    return cudaSuccess;
  });
}

cudaError_t cudaEventSynchronize(cudaEvent_t event) {
  return waiting_call([&] {
    if (event->stream) drain(*event->stream, event->position);
  });
}

cudaError_t cudaEventQuery(cudaEvent_t event) {
  return call([&]() -> cudaError_t {
    if (!event->stream || event->stream->done >= event->position) return cudaSuccess;
    drain(*event->stream, event->stream->done + 1);  // so that polling ends
    return cudaErrorNotReady;
  });
}

cudaError_t cudaEventElapsedTime(float* milliseconds, cudaEvent_t begin, cudaEvent_t end) {
  *milliseconds = static_cast<float>((end->seconds - begin->seconds) * 1e3);
  return cudaSuccess;
}

cudaError_t cudaStreamBeginCapture(cudaStream_t handle, cudaStreamCaptureMode) {
  return call([&]() -> cudaError_t {
    const auto stream = find_stream(handle);
    if (!handle || !stream || stream->capture || !setting("AGPT_EMU_GRAPHS", 1))
      return cudaErrorStreamCaptureUnsupported;
    stream->capture = std::make_shared<CUgraph_st>();
    return cudaSuccess;
  });
}

cudaError_t cudaStreamEndCapture(cudaStream_t handle, cudaGraph_t* graph) {
  return call([&]() -> cudaError_t {
    const auto stream = find_stream(handle);
    if (!stream || !stream->capture) return cudaErrorStreamCaptureUnsupported;
    *graph = new CUgraph_st(*stream->capture);
    leave_capture(stream->capture);
    return cudaSuccess;
  });
}

cudaError_t cudaStreamIsCapturing(cudaStream_t handle, cudaStreamCaptureStatus* status) {
  return call([&]() -> cudaError_t {
    const auto stream = find_stream(handle);
    if (!stream) return cudaErrorInvalidValue;
    *status = stream->capture ? cudaStreamCaptureStatusActive : cudaStreamCaptureStatusNone;
    return cudaSuccess;
  });
}

cudaError_t cudaGraphInstantiate(cudaGraphExec_t* executable, cudaGraph_t graph, unsigned long long) {
  return call([&] {
    *executable = new CUgraphExec_st{graph->work};
    return cudaSuccess;
  });
}

cudaError_t cudaGraphLaunch(cudaGraphExec_t executable, cudaStream_t handle) {
  return call([&]() -> cudaError_t {
    const auto stream = find_stream(handle);
    if (!stream) return cudaErrorInvalidValue;
    enqueue(*stream, [work = executable->work] {
      for (const Work& step : work) step();
    });
    return cudaSuccess;
  });
}

cudaError_t cudaGraphDestroy(cudaGraph_t graph) {
  delete graph;
  return cudaSuccess;
}

cudaError_t cudaGraphExecDestroy(cudaGraphExec_t executable) {
  delete executable;
  return cudaSuccess;
}
