// Launches that are held back until their list is complete, and replayed as a CUDA graph where the same list comes again.
#pragma once

#include <atomic>
#include <memory>
#include <vector>

#include "cpp/base/types.h"
#include "cuda/runtime/check.h"

namespace agpt::cuda {

/// A kernel or a library's call with its arguments, made now or later.
class Launch {
 public:
  virtual ~Launch() = default;
  virtual void make(cudaStream_t stream) const = 0;
  /// Whether `other` is the same call with the same arguments.
  virtual bool equals(const Launch& other) const = 0;
};

/// Lists are the same where every launch has the same grid and arguments, addresses included: so a graph can do nothing but
/// what the launches would. A list is made as it is when it is first seen, captured when it is seen again, and replayed
/// from then on; the last few lists are remembered. For one thread at a time.
class LaunchGraphs {
 public:
  /// Counts each launch and each replay in `launches`, replays also in `replays`.
  LaunchGraphs(cudaStream_t stream, std::atomic<Index>& launches, std::atomic<Index>& replays)
      : stream_(stream), launches_(launches), replays_(replays) {}

  void add(std::unique_ptr<Launch> launch) { held_back_.push_back(std::move(launch)); }
  /// Makes what is held back.
  void flush();
  /// The same, and lets go of all graphs: before memory that they may name is freed.
  void forget();

 private:
  using Launches = std::vector<std::unique_ptr<Launch>>;
  struct Destroy {
    void operator()(cudaGraph_t graph) const { cudaGraphDestroy(graph); }
    void operator()(cudaGraphExec_t graph) const { cudaGraphExecDestroy(graph); }  // one that runs ends first
  };
  struct List {
    Launches launches;
    std::unique_ptr<std::remove_pointer_t<cudaGraphExec_t>, Destroy> graph;
  };

  void make(const Launches& launches) const;
  void capture(List& list);

  const cudaStream_t stream_;
  std::atomic<Index>& launches_;
  std::atomic<Index>& replays_;
  bool can_capture_ = true;
  Launches held_back_;
  std::vector<List> lists_;  // the last seen first
};

}  // namespace agpt::cuda
