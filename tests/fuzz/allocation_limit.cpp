#include "tests/fuzz/allocation_limit.h"

#include <malloc.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <new>

#include "cpp/base/memory.h"

namespace {

std::atomic<size_t> in_use{0};
std::atomic<size_t> allowed{~size_t{0}};

void* allocate(size_t size) {
  if (size > allowed || in_use + size > allowed) {
    std::fprintf(stderr, "an allocation of %zu bytes on top of %zu is more than the input can ask for\n", size,
                 in_use.load());
    std::abort();
  }
  void* const block = std::malloc(size);
  if (block == nullptr) throw std::bad_alloc();
  in_use += malloc_usable_size(block);
  return block;
}

void release(void* block) {
  if (block != nullptr) in_use -= malloc_usable_size(block);
  std::free(block);
}

}  // namespace

void* operator new(size_t size) { return allocate(size); }
void* operator new[](size_t size) { return allocate(size); }
void operator delete(void* block) noexcept { release(block); }
void operator delete[](void* block) noexcept { release(block); }
void operator delete(void* block, size_t) noexcept { release(block); }
void operator delete[](void* block, size_t) noexcept { release(block); }

namespace agpt {

AllocationLimit::AllocationLimit(size_t bytes) {
  allowed = in_use + bytes;
  set_memory_cap(memory_reserved() + bytes);
}

AllocationLimit::~AllocationLimit() {
  allowed = ~size_t{0};
  set_memory_cap(0);
}

}  // namespace agpt
