// The scheduler of the fibers of a block, and what a barrier or a warp collective demands before it lets them go on.
#include "tests/cuda_emu/emulator/scheduler.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <memory>
#include <numeric>
#include <optional>
#include <random>
#include <vector>

#include "tests/cuda_emu/emulator/access_check.h"
#include "tests/cuda_emu/emulator/fiber.h"

uint3 threadIdx, blockIdx;
dim3 blockDim, gridDim;

namespace cuda_emu {
namespace {

constexpr unsigned kWarp = 32;
constexpr unsigned kMaxBlockThreads = 1024;

enum class State { ready, at_block_barrier, at_warp_collective, finished };

struct Thread {
  Fiber fiber;
  State state = State::finished;
  uint3 index{};
  Site site;               // what it waits for
  bool predicate = false;  // at a block barrier
  unsigned mask = 0;       // at a warp collective
  int source = 0;
  uint64_t value = 0;
  Exchange result;
  uint64_t offered[kWarp] = {};  // by all lanes; kept by the first lane of the mask
  const uint64_t* gathered = nullptr;
};

struct Policy {
  Order order = Order::forward;
  std::mt19937_64 random;

  Policy() {
    const char* const chosen = std::getenv("AGPT_EMU_ORDER");
    const std::string name = chosen ? chosen : "forward";
    if (name == "reverse") order = Order::reverse;
    if (!name.starts_with("random")) return;
    order = Order::random;
    random.seed(name.size() > 7 ? std::strtoull(name.c_str() + 7, nullptr, 10) : 0);
  }

  void arrange(std::vector<unsigned>& numbers) {
    std::iota(numbers.begin(), numbers.end(), 0u);
    if (order == Order::reverse) std::reverse(numbers.begin(), numbers.end());
    if (order == Order::random) std::shuffle(numbers.begin(), numbers.end(), random);
  }
};

struct Scheduler {
  std::deque<Thread> threads;  // a deque: threads keep their address
  unsigned count = 0;          // threads of the running block
  unsigned current = 0;
  const KernelCall* call = nullptr;
  std::optional<std::string> failure;
  Votes votes{};
  std::unique_ptr<unsigned char[]> dynamic;  // allocated to size for each block, so that an overrun is seen
  Policy policy;
};

Scheduler& scheduler() {
  static Scheduler the;
  return the;
}

Thread& self() {
  Scheduler& s = scheduler();
  return s.threads[s.current];
}

std::string text(uint3 v) {
  std::string result = "(";  // one operator+ of a literal and a string makes GCC 12 warn of an overlap
  return result.append(std::to_string(v.x) + "," + std::to_string(v.y) + "," + std::to_string(v.z) + ")");
}

std::string text(const Site& site) {
  return std::string(site.operation) + " at " + site.at.file_name() + ":" + std::to_string(site.at.line());
}

void wait_at(const Site& site, State state) {
  Thread& thread = self();
  thread.site = site;
  thread.state = state;
  thread.fiber.leave();
}

void run_thread() {
  Scheduler& s = scheduler();
  Thread& thread = self();
  thread.fiber.arrived();
  try {
    s.call->run_thread();
  } catch (const std::exception& error) {
    s.failure = error.what();
  }
  thread.state = State::finished;
  thread.fiber.leave_for_good();
}

void resume(unsigned index) {
  Scheduler& s = scheduler();
  s.current = index;
  threadIdx = s.threads[index].index;
  enter_kernel();
  s.threads[index].fiber.enter();
  leave_kernel();
  if (s.failure) throw KernelFault(*s.failure);
}

/// Lets all threads of the block go on if all of them wait at one barrier.
bool release_block() {
  Scheduler& s = scheduler();
  unsigned waiting = 0;
  unsigned first = 0;
  for (unsigned i = 0; i < s.count; ++i) {
    const Thread& thread = s.threads[i];
    if (thread.state == State::finished) continue;
    if (thread.state != State::at_block_barrier) return false;
    if (waiting++ == 0) first = i;
    if (!(thread.site == s.threads[first].site))
      throw KernelFault("divergent barrier: " + place(i) + " waits for " + text(thread.site) + " while " +
                        place(first) + " waits for " + text(s.threads[first].site));
  }
  if (waiting == 0) return false;
  if (waiting < s.count)
    throw KernelFault("divergent barrier: " + std::to_string(s.count - waiting) + " of " + std::to_string(s.count) +
                      " threads returned before " + text(s.threads[first].site) + ", where " + place(first) + " waits");
  s.votes = {false, true, 0};
  for (unsigned i = 0; i < s.count; ++i) {
    const bool vote = s.threads[i].predicate;
    s.votes.any |= vote;
    s.votes.all &= vote;
    s.votes.count += vote;
    s.threads[i].state = State::ready;
  }
  passed_block_barrier();
  return true;
}

/// Whether every lane that the waiting thread `lead` names has arrived at the same collective.
bool collective_is_complete(unsigned base, unsigned lane) {
  Scheduler& s = scheduler();
  const Thread& lead = s.threads[base + lane];
  const std::string here = place(base + lane) + " waits for " + text(lead.site);
  if (!(lead.mask >> lane & 1)) throw KernelFault(here + " with a mask that leaves the thread itself out");
  for (unsigned k = 0; k < kWarp; ++k) {
    if (!(lead.mask >> k & 1)) continue;
    if (base + k >= s.count) {
      if (lead.mask == ~0u) continue;  // a full mask is allowed in the short last warp of a block
      throw KernelFault("absent lane: " + here + " with lane " + std::to_string(k) + ", which the block does not have");
    }
    const Thread& other = s.threads[base + k];
    if (other.state == State::finished)
      throw KernelFault("absent lane: " + here + " with lane " + std::to_string(k) + ", which has returned");
    if (other.state != State::at_warp_collective) return false;
    if (other.mask != lead.mask || !(other.site == lead.site))
      throw KernelFault("divergent warp: " + place(base + k) + " waits for " + text(other.site) + " while " + here);
  }
  return true;
}

/// Gives every lane of a complete collective what it asked for.
void exchange(unsigned base, unsigned lane) {
  Scheduler& s = scheduler();
  Thread& lead = s.threads[base + lane];
  const unsigned mask = lead.mask;
  const auto named = [&](unsigned k) { return (mask >> k & 1) && base + k < s.count; };
  unsigned set = 0;
  for (unsigned k = 0; k < kWarp; ++k) {
    lead.offered[k] = named(k) ? s.threads[base + k].value : 0;
    set |= static_cast<unsigned>(lead.offered[k] & 1) << k;
  }
  for (unsigned k = 0; k < kWarp; ++k) {
    if (!named(k)) continue;
    Thread& thread = s.threads[base + k];
    if (!named(static_cast<unsigned>(thread.source)))
      throw KernelFault("absent lane: " + place(base + k) + " reads lane " + std::to_string(thread.source) + " in " +
                        text(thread.site) + ", and that lane takes no part");
    thread.result = {lead.offered[thread.source], set};
    thread.gathered = lead.offered;
    thread.state = State::ready;
  }
  passed_warp_collective(base / kWarp, mask);
}

bool release_warps() {
  Scheduler& s = scheduler();
  bool released = false;
  for (unsigned base = 0; base < s.count; base += kWarp)
    for (unsigned lane = 0; lane < kWarp && base + lane < s.count; ++lane)
      if (s.threads[base + lane].state == State::at_warp_collective && collective_is_complete(base, lane)) {
        exchange(base, lane);
        released = true;
      }
  return released;
}

void prepare_threads(dim3 block) {
  Scheduler& s = scheduler();
  unsigned i = 0;
  for (unsigned z = 0; z < block.z; ++z)
    for (unsigned y = 0; y < block.y; ++y)
      for (unsigned x = 0; x < block.x; ++x) {
        Thread& thread = s.threads[i++];
        thread.index = {x, y, z};
        thread.state = State::ready;
        thread.predicate = false;
        thread.fiber.prepare(run_thread);
      }
}

void run_block(dim3 block) {
  Scheduler& s = scheduler();
  prepare_threads(block);
  std::vector<unsigned> order(s.count);
  for (;;) {
    s.policy.arrange(order);
    bool ran = false;
    for (unsigned index : order)
      if (s.threads[index].state == State::ready) {
        resume(index);
        ran = true;
      }
    const bool warps_released = release_warps();
    if (!release_block() && !warps_released && !ran) break;
  }
  for (unsigned i = 0; i < s.count; ++i)
    if (s.threads[i].state != State::finished)
      throw KernelFault("deadlock: " + place(i) + " waits for " + text(s.threads[i].site) +
                        " and nobody can release it");
}

void renew_dynamic_shared(size_t bytes) {
  Scheduler& s = scheduler();
  s.dynamic.reset(new unsigned char[bytes]);
  std::memset(s.dynamic.get(), 0xff, bytes);  // NaN: shared memory begins undefined
}

}  // namespace

bool Site::operator==(const Site& other) const {
  return at.line() == other.at.line() && at.column() == other.at.column() &&
         std::strcmp(operation, other.operation) == 0 && std::strcmp(at.file_name(), other.at.file_name()) == 0;
}

void set_order(Order order, uint64_t seed) {
  scheduler().policy.order = order;
  scheduler().policy.random.seed(seed);
}

Order order() { return scheduler().policy.order; }

uint64_t random_below(uint64_t bound) { return scheduler().policy.random() % bound; }

void run_grid(dim3 grid, dim3 block, size_t dynamic_shared_bytes, const KernelCall& call) {
  Scheduler& s = scheduler();
  s.count = block.x * block.y * block.z;
  if (s.count == 0 || s.count > kMaxBlockThreads)
    throw KernelFault("a block of " + std::to_string(s.count) + " threads: 1 to 1024 are possible");
  if (grid.x == 0 || grid.y == 0 || grid.z == 0 || grid.y > 65535 || grid.z > 65535)
    throw KernelFault("a grid of " + text({grid.x, grid.y, grid.z}) + " blocks");
  while (s.threads.size() < s.count) s.threads.emplace_back();
  s.call = &call;
  s.failure.reset();
  gridDim = grid;
  blockDim = block;
  struct Launch {
    explicit Launch(const KernelCall& call) { begin_launch(&call, call.size()); }
    ~Launch() { end_launch(); }
  } launch(call);
  std::vector<unsigned> order(grid.x * grid.y * grid.z);
  s.policy.arrange(order);
  for (unsigned number : order) {
    blockIdx = {number % grid.x, number / grid.x % grid.y, number / grid.x / grid.y};
    renew_dynamic_shared(dynamic_shared_bytes);
    begin_block(s.dynamic.get(), dynamic_shared_bytes);
    run_block(block);
  }
}

void fail(const char* text) {
  leave_kernel();
  scheduler().failure = text;
  self().fiber.leave_for_good();
}

void block_barrier(const Site& site) { wait_at(site, State::at_block_barrier); }

Votes block_vote(const Site& site, bool predicate) {
  self().predicate = predicate;
  block_barrier(site);
  return scheduler().votes;
}

Exchange warp_exchange(const Site& site, unsigned mask, uint64_t value, int source) {
  Thread& thread = self();
  thread.mask = mask;
  thread.value = value;
  thread.source = source;
  wait_at(site, State::at_warp_collective);
  return thread.result;
}

void warp_gather(const Site& site, unsigned mask, uint64_t value) { warp_exchange(site, mask, value, lane_id()); }

uint64_t offered_by(int lane) { return self().gathered[lane]; }

int lane_id() { return static_cast<int>(scheduler().current % kWarp); }

unsigned active_mask() {
  const Scheduler& s = scheduler();
  const unsigned base = s.current / kWarp * kWarp;
  unsigned mask = 0;
  for (unsigned k = 0; k < kWarp && base + k < s.count; ++k)
    mask |= static_cast<unsigned>(s.threads[base + k].state != State::finished) << k;
  return mask;
}

void* dynamic_shared_memory() { return scheduler().dynamic.get(); }

std::string place(unsigned index) {
  return "block " + text(blockIdx) + " thread " + text(scheduler().threads[index].index);
}

unsigned current_thread() { return scheduler().current; }

bool on_current_stack(uintptr_t address) { return self().fiber.owns(address); }

}  // namespace cuda_emu
