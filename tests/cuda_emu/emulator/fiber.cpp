// Switching stacks: the registers that a function call preserves are saved on the stack that is left and taken from the
// one that is entered. swapcontext() of the C library does the same with two system calls, 200 times slower.
#include "tests/cuda_emu/emulator/fiber.h"

#include <sys/mman.h>
#include <unistd.h>

#include <new>

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif

extern "C" void cuda_emu_switch(void** save, void* load);

#if defined(__x86_64__)
asm(R"(
.text
.hidden cuda_emu_switch
.globl cuda_emu_switch
.type cuda_emu_switch, @function
cuda_emu_switch:
  pushq %rbp
  pushq %rbx
  pushq %r12
  pushq %r13
  pushq %r14
  pushq %r15
  movq %rsp, (%rdi)
  movq %rsi, %rsp
  popq %r15
  popq %r14
  popq %r13
  popq %r12
  popq %rbx
  popq %rbp
  ret
.size cuda_emu_switch, .-cuda_emu_switch
)");
#elif defined(__aarch64__)
asm(R"(
.text
.hidden cuda_emu_switch
.globl cuda_emu_switch
.type cuda_emu_switch, %function
cuda_emu_switch:
  sub sp, sp, #160
  stp x19, x20, [sp]
  stp x21, x22, [sp, #16]
  stp x23, x24, [sp, #32]
  stp x25, x26, [sp, #48]
  stp x27, x28, [sp, #64]
  stp x29, x30, [sp, #80]
  stp d8, d9, [sp, #96]
  stp d10, d11, [sp, #112]
  stp d12, d13, [sp, #128]
  stp d14, d15, [sp, #144]
  mov x9, sp
  str x9, [x0]
  mov sp, x1
  ldp x19, x20, [sp]
  ldp x21, x22, [sp, #16]
  ldp x23, x24, [sp, #32]
  ldp x25, x26, [sp, #48]
  ldp x27, x28, [sp, #64]
  ldp x29, x30, [sp, #80]
  ldp d8, d9, [sp, #96]
  ldp d10, d11, [sp, #112]
  ldp d12, d13, [sp, #128]
  ldp d14, d15, [sp, #144]
  add sp, sp, #160
  ret
.size cuda_emu_switch, .-cuda_emu_switch
)");
#else
#error "the CUDA emulator switches stacks on x86-64 and aarch64 only: configure with -DAGPT_CUDA_EMULATED=OFF"
#endif

namespace cuda_emu {
namespace {

/// What cuda_emu_switch pops from a stack that has not run yet, so that its `ret` calls `entry`.
void* initial_frame(char* top, void (*entry)()) {
  void** frame = reinterpret_cast<void**>(top);
  void* const address = reinterpret_cast<void*>(entry);
#if defined(__x86_64__)
  frame -= 8;  // six registers, the address of entry, and no return address
  for (int i = 0; i < 8; ++i) frame[i] = nullptr;
  frame[6] = address;
#else
  frame -= 20;  // ten general registers, the frame pointer, the address of entry, eight vector registers
  for (int i = 0; i < 20; ++i) frame[i] = nullptr;
  frame[11] = address;
#endif
  return frame;
}

}  // namespace

Fiber::Fiber() {
  const auto page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
  void* memory =
      mmap(nullptr, kStackBytes + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED) throw std::bad_alloc();
  mprotect(memory, page, PROT_NONE);  // an overflow ends the program here and not in a neighbour's stack
  stack_ = static_cast<char*>(memory) + page;
}

Fiber::~Fiber() {
  const auto page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
  munmap(stack_ - page, kStackBytes + page);
}

void Fiber::prepare(void (*entry)()) {
#if defined(__SANITIZE_ADDRESS__)
  ASAN_UNPOISON_MEMORY_REGION(stack_, kStackBytes);  // a fault may have left frames behind
  fake_stack_ = nullptr;
#endif
  context_ = initial_frame(stack_ + kStackBytes, entry);
}

void Fiber::enter() {
#if defined(__SANITIZE_ADDRESS__)
  __sanitizer_start_switch_fiber(&scheduler_fake_stack_, stack_, kStackBytes);
#endif
  cuda_emu_switch(&scheduler_, context_);
#if defined(__SANITIZE_ADDRESS__)
  __sanitizer_finish_switch_fiber(scheduler_fake_stack_, nullptr, nullptr);
#endif
}

void Fiber::leave() {
#if defined(__SANITIZE_ADDRESS__)
  __sanitizer_start_switch_fiber(&fake_stack_, scheduler_stack_, scheduler_stack_bytes_);
#endif
  cuda_emu_switch(&context_, scheduler_);
#if defined(__SANITIZE_ADDRESS__)
  __sanitizer_finish_switch_fiber(fake_stack_, &scheduler_stack_, &scheduler_stack_bytes_);
#endif
}

void Fiber::leave_for_good() {
#if defined(__SANITIZE_ADDRESS__)
  __sanitizer_start_switch_fiber(nullptr, scheduler_stack_, scheduler_stack_bytes_);
#endif
  cuda_emu_switch(&context_, scheduler_);
  __builtin_unreachable();
}

void Fiber::arrived() {
#if defined(__SANITIZE_ADDRESS__)
  __sanitizer_finish_switch_fiber(nullptr, &scheduler_stack_, &scheduler_stack_bytes_);
#endif
}

}  // namespace cuda_emu
