#include "cuda/runtime/launch_graphs.h"

#include <algorithm>
#include <utility>

namespace agpt::cuda {
namespace {

// Each shape of a batch has two lists, one for each half of the upload.
constexpr size_t kMostLists = 8;

}  // namespace

void LaunchGraphs::flush() {
  if (held_back_.empty()) return;
  Launches launches = std::exchange(held_back_, {});
  const auto found = std::find_if(lists_.begin(), lists_.end(), [&](const List& list) {
    return std::equal(launches.begin(), launches.end(), list.launches.begin(), list.launches.end(),
                      [](const auto& a, const auto& b) { return a->equals(*b); });
  });
  const bool is_new = found == lists_.end();
  if (is_new) {
    if (lists_.size() == kMostLists) lists_.pop_back();
    lists_.insert(lists_.begin(), List{std::move(launches), nullptr});
  } else {
    std::rotate(lists_.begin(), found, found + 1);
  }
  List& list = lists_.front();
  if (!is_new && list.graph == nullptr && can_capture_) capture(list);
  if (list.graph == nullptr) {
    make(list.launches);
    launches_ += static_cast<Index>(list.launches.size());
    return;
  }
  AGPT_CUDA_CHECK(cudaGraphLaunch(list.graph.get(), stream_));
  ++launches_;
  ++replays_;
}

void LaunchGraphs::forget() {
  flush();
  lists_.clear();
}

void LaunchGraphs::make(const Launches& launches) const {
  for (const auto& launch : launches) launch->make(stream_);
}

// Where the driver or a library does not let itself be captured, nothing has been done yet: the launches are made one by
// one from now on. What is wrong with the device itself, they will say.
void LaunchGraphs::capture(List& list) {
  cudaGraph_t captured = nullptr;
  cudaGraphExec_t graph = nullptr;
  try {
    AGPT_CUDA_CHECK(cudaStreamBeginCapture(stream_, cudaStreamCaptureModeThreadLocal));
    make(list.launches);
  } catch (const DeviceError&) {
    can_capture_ = false;
  }
  const bool ended = cudaStreamEndCapture(stream_, &captured) == cudaSuccess && captured != nullptr;
  const std::unique_ptr<std::remove_pointer_t<cudaGraph_t>, Destroy> owner(captured);
  if (can_capture_ && ended && cudaGraphInstantiate(&graph, captured, 0) == cudaSuccess) return list.graph.reset(graph);
  can_capture_ = false;
  cudaGetLastError();  // it has been seen
}

}  // namespace agpt::cuda
