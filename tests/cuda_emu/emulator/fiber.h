// A fiber: a stack of its own that the scheduler enters and that leaves of its own accord. Every emulated CUDA thread
// is one. AddressSanitizer is told of each switch.
#pragma once

#include <cstddef>
#include <cstdint>

namespace cuda_emu {

class Fiber {
 public:
  Fiber();
  ~Fiber();
  Fiber(const Fiber&) = delete;
  Fiber& operator=(const Fiber&) = delete;

  /// Makes the next enter() call entry() on an empty stack. What ran on it before is forgotten, not unwound. `entry`
  /// never returns: it ends with leave_for_good().
  void prepare(void (*entry)());
  /// Runs the fiber until it leaves. Called by the thread that schedules.
  void enter();
  /// Back to the scheduler, until it enters again. Called on the fiber.
  void leave();
  /// Back to the scheduler; only prepare() revives the fiber.
  [[noreturn]] void leave_for_good();
  /// To be called first on a new stack.
  void arrived();

  bool owns(uintptr_t address) const { return address - reinterpret_cast<uintptr_t>(stack_) < kStackBytes; }

 private:
  static constexpr size_t kStackBytes = 256 * 1024;

  char* stack_ = nullptr;
  void* context_ = nullptr;    // stack pointer of the fiber while it waits
  void* scheduler_ = nullptr;  // stack pointer of the scheduler while the fiber runs
  // What AddressSanitizer wants to be told.
  void* fake_stack_ = nullptr;
  void* scheduler_fake_stack_ = nullptr;
  const void* scheduler_stack_ = nullptr;
  size_t scheduler_stack_bytes_ = 0;
};

}  // namespace cuda_emu
