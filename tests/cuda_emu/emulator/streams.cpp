// Streams run their queues at once, as late as allowed, or at random; see runtime_api.h.
#include "tests/cuda_emu/emulator/streams.h"

#include <algorithm>
#include <utility>

namespace cuda_emu {
namespace {

std::vector<std::shared_ptr<CUstream_st>>& streams() {
  static std::vector<std::shared_ptr<CUstream_st>> the;  // the first is the default stream
  if (the.empty()) the.push_back(std::make_shared<CUstream_st>());
  return the;
}

/// How much of a queue runs as soon as something is added to it.
uint64_t eager_position(const CUstream_st& stream) {
  switch (order()) {
    case Order::forward:
      return stream.queued;
    case Order::reverse:
      return stream.done;
    case Order::random:
      break;
  }
  return stream.done + random_below(stream.queued - stream.done + 1);
}

}  // namespace

std::shared_ptr<CUstream_st> find_stream(cudaStream_t handle) {
  if (!handle) return streams().front();
  for (const auto& stream : streams())
    if (stream.get() == handle) return stream;
  return nullptr;
}

std::shared_ptr<CUstream_st> create_stream(bool blocking) {
  streams().push_back(std::make_shared<CUstream_st>());
  streams().back()->blocking = blocking;
  return streams().back();
}

void destroy_stream(cudaStream_t handle) {
  const std::shared_ptr<CUstream_st> stream = find_stream(handle);
  drain(*stream);
  std::erase(streams(), stream);
}

void enqueue(CUstream_st& stream, Work work) {
  if (stream.capture) {
    stream.capture->work.push_back(std::move(work));
    return;
  }
  const bool is_default = &stream == streams().front().get();
  if (is_default) drain_blocking();
  stream.pending.push_back(std::move(work));
  ++stream.queued;
  drain(stream, is_default ? stream.queued : eager_position(stream));
}

void drain(CUstream_st& stream, uint64_t position) {
  while (stream.done < position && !stream.pending.empty()) {
    const Work work = std::move(stream.pending.front());
    stream.pending.pop_front();
    ++stream.done;
    work();
  }
}

void drain(CUstream_st& stream) { drain(stream, stream.queued); }

void drain_all() {
  for (const auto& stream : std::vector(streams())) drain(*stream);
}

void drain_blocking() {
  for (const auto& stream : std::vector(streams()))
    if (stream->blocking) drain(*stream);
}

bool any_capture() {
  return std::ranges::any_of(streams(), [](const auto& stream) { return stream->capture != nullptr; });
}

void leave_capture(std::shared_ptr<CUgraph_st> graph) {
  for (const auto& stream : streams())
    if (stream->capture == graph) stream->capture.reset();
}

}  // namespace cuda_emu
