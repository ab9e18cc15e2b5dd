// Checks every access of a running kernel to memory: that it is the device's, inside an allocation, aligned, written
// before it is read, and ordered by a barrier after what other threads did. The accesses are reported by the calls that
// the compiler adds for -fsanitize=thread, which this emulator answers itself (access_hooks.cpp). Without that option,
// as under AddressSanitizer, nothing reports accesses and these functions only keep books.
#pragma once

#include <cstddef>
#include <cstdint>

namespace cuda_emu {

enum class Access { read, write, atomic };

/// Off by AGPT_EMU_CHECKS=0 or by this; then accesses cost almost nothing.
void check_accesses(bool on);

/// Whether any file of the program was compiled to report its accesses.
bool accesses_are_reported();

/// What kernels and matrix products have moved since the start of the program, where accesses are checked: bytes of device
/// memory, each counted once a launch as read and once as written, as if a cache held all that the launch touches; and
/// bytes of shared memory, every access of every thread.
struct Traffic {
  size_t read = 0, written = 0, shared = 0;
};
Traffic traffic();

// ---- told by the runtime ----
void add_device_memory(const void* begin, size_t bytes);
void remove_device_memory(const void* begin);
/// Whether [begin, begin + bytes) lies inside one allocation.
bool is_device_memory(const void* begin, size_t bytes);
/// The host or a library wrote these bytes of device memory.
void mark_written(const void* begin, size_t bytes);
/// What was unwritten at `from` is unwritten at `to`.
void copy_written(const void* to, const void* from, size_t bytes);
/// A library read and wrote so many bytes of device memory.
void add_library_traffic(size_t read, size_t written);
/// Null, or what is wrong with a library's reading these bytes.
const char* fault_of_library_read(const void* begin, size_t bytes);

// ---- told by the scheduler ----
void begin_launch(const void* call, size_t call_bytes);
void end_launch();
/// Between these two the accesses of this thread of the host are a kernel's.
void enter_kernel();
void leave_kernel();
void begin_block(const void* dynamic_shared, size_t dynamic_shared_bytes);
void passed_block_barrier();
/// All lanes of one collective have arrived: they are ordered after what any of them did before.
void passed_warp_collective(unsigned warp, unsigned mask);

/// One access of the current thread; `where` is the address of the code. Fails the launch if it is at fault.
void check_access(const void* address, size_t bytes, Access access, const void* where);
/// Accesses until end_atomic() are parts of an atomic operation.
void begin_atomic();
void end_atomic();

}  // namespace cuda_emu
