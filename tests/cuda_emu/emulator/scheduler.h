// Runs kernels: blocks one after another, the threads of a block as fibers that stop at barriers and warp collectives.
// A rule of the execution model that the kernel breaks ends the launch with a KernelFault that names the thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <source_location>
#include <stdexcept>
#include <string>

struct uint3 {
  unsigned x, y, z;
};
struct dim3 {
  unsigned x, y, z;
  constexpr dim3(unsigned x_ = 1, unsigned y_ = 1, unsigned z_ = 1) : x(x_), y(y_), z(z_) {}
  constexpr dim3(uint3 v) : x(v.x), y(v.y), z(v.z) {}
};

namespace cuda_emu {

/// A rule of the CUDA execution model that a kernel broke.
struct KernelFault : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// In which order the ready threads of a block, and the blocks, run. A kernel that lacks a barrier computes something
/// else in another order. The first order is that of AGPT_EMU_ORDER: forward, reverse, random or random:SEED.
enum class Order { forward, reverse, random };
void set_order(Order order, uint64_t seed = 0);
Order order();
/// A number below `bound` of the generator that `set_order` seeded.
uint64_t random_below(uint64_t bound);

/// One launch: a kernel and copies of its arguments.
struct KernelCall {
  virtual ~KernelCall() = default;
  virtual void run_thread() const = 0;
  virtual size_t size() const = 0;  ///< Bytes of the call, its arguments among them: kernels may read these.
};
void run_grid(dim3 grid, dim3 block, size_t dynamic_shared_bytes, const KernelCall& call);

/// The largest dynamic shared memory of one block on sm_90.
constexpr size_t kMaxDynamicShared = 227 * 1024;
/// The most without cudaFuncAttributeMaxDynamicSharedMemorySize.
constexpr size_t kDefaultDynamicShared = 48 * 1024;

// ---- what a running thread calls ----

/// Where in a kernel a thread waits, and for what.
struct Site {
  const char* operation = "";
  std::source_location at;
  bool operator==(const Site& other) const;
};

/// Ends the launch with this fault; called on the fiber that is at fault.
[[noreturn]] void fail(const char* text);

void block_barrier(const Site& site);
/// A barrier that also asks every thread for a predicate.
struct Votes {
  bool any, all;
  int count;
};
Votes block_vote(const Site& site, bool predicate);

/// One lane's part of a warp collective: it offers `value` and reads that of the lane `source`.
struct Exchange {
  uint64_t value = 0;  ///< What the source lane offered.
  unsigned set = 0;    ///< The lanes whose value has bit 0 set.
};
Exchange warp_exchange(const Site& site, unsigned mask, uint64_t value, int source);
/// A collective whose lanes all learn what each offered, from offered_by().
void warp_gather(const Site& site, unsigned mask, uint64_t value);
uint64_t offered_by(int lane);

int lane_id();
unsigned active_mask();
void* dynamic_shared_memory();

// ---- about the running thread, for messages and checks ----

/// "block (0,0,0) thread (3,0,0)" of thread `index` of the running block.
std::string place(unsigned index);
unsigned current_thread();
bool on_current_stack(uintptr_t address);

}  // namespace cuda_emu
