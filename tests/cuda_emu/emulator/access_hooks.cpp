// What -fsanitize=thread makes the compiler call before each access to memory. The program is not linked with the thread
// sanitizer's runtime: these are its names with the emulator's checks behind them.
#include "tests/cuda_emu/emulator/access_check.h"

#if !defined(__SANITIZE_ADDRESS__)

namespace {

bool any_reporter = false;

}  // namespace

namespace cuda_emu {

bool accesses_are_reported() { return any_reporter; }

}  // namespace cuda_emu

#define CUDA_EMU_HERE __builtin_return_address(0)
#define CUDA_EMU_HOOKS(bytes)                                                                                     \
  void __tsan_read##bytes(void* p) { cuda_emu::check_access(p, bytes, cuda_emu::Access::read, CUDA_EMU_HERE); }   \
  void __tsan_write##bytes(void* p) { cuda_emu::check_access(p, bytes, cuda_emu::Access::write, CUDA_EMU_HERE); } \
  void __tsan_unaligned_read##bytes(void* p) {                                                                    \
    cuda_emu::check_access(p, bytes, cuda_emu::Access::read, CUDA_EMU_HERE);                                      \
  }                                                                                                               \
  void __tsan_unaligned_write##bytes(void* p) {                                                                   \
    cuda_emu::check_access(p, bytes, cuda_emu::Access::write, CUDA_EMU_HERE);                                     \
  }

// Atomics of the host's code in the same files, such as the counts of shared pointers.
#define CUDA_EMU_HOST_ATOMICS(bits, type)                                                                       \
  type __tsan_atomic##bits##_load(const volatile type* p, int) { return __atomic_load_n(p, __ATOMIC_SEQ_CST); } \
  void __tsan_atomic##bits##_store(volatile type* p, type v, int) { __atomic_store_n(p, v, __ATOMIC_SEQ_CST); } \
  type __tsan_atomic##bits##_exchange(volatile type* p, type v, int) {                                          \
    return __atomic_exchange_n(p, v, __ATOMIC_SEQ_CST);                                                         \
  }                                                                                                             \
  type __tsan_atomic##bits##_fetch_add(volatile type* p, type v, int) {                                         \
    return __atomic_fetch_add(p, v, __ATOMIC_SEQ_CST);                                                          \
  }                                                                                                             \
  type __tsan_atomic##bits##_fetch_sub(volatile type* p, type v, int) {                                         \
    return __atomic_fetch_sub(p, v, __ATOMIC_SEQ_CST);                                                          \
  }                                                                                                             \
  int __tsan_atomic##bits##_compare_exchange_strong(volatile type* p, type* expected, type v, int, int) {       \
    return __atomic_compare_exchange_n(p, expected, v, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);              \
  }                                                                                                             \
  int __tsan_atomic##bits##_compare_exchange_weak(volatile type* p, type* expected, type v, int, int) {         \
    return __atomic_compare_exchange_n(p, expected, v, true, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);               \
  }

extern "C" {

void __tsan_init() { any_reporter = true; }
void __tsan_func_entry(void*) {}
void __tsan_func_exit() {}
void __tsan_vptr_update(void**, void*) {}
void __tsan_vptr_read(void**) {}

CUDA_EMU_HOOKS(1)
CUDA_EMU_HOOKS(2)
CUDA_EMU_HOOKS(4)
CUDA_EMU_HOOKS(8)
CUDA_EMU_HOOKS(16)

void __tsan_read_range(void* p, unsigned long bytes) {
  cuda_emu::check_access(p, bytes, cuda_emu::Access::read, CUDA_EMU_HERE);
}
void __tsan_write_range(void* p, unsigned long bytes) {
  cuda_emu::check_access(p, bytes, cuda_emu::Access::write, CUDA_EMU_HERE);
}

CUDA_EMU_HOST_ATOMICS(8, unsigned char)
CUDA_EMU_HOST_ATOMICS(32, unsigned)
CUDA_EMU_HOST_ATOMICS(64, unsigned long)

}  // extern "C"

#else

namespace cuda_emu {

bool accesses_are_reported() { return false; }

}  // namespace cuda_emu

#endif
