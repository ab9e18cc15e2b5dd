#include "cpp/base/memory.h"

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <new>

#include "cpp/base/error.h"

namespace agpt {
namespace {

std::atomic<size_t> cap{0};
std::atomic<size_t> reserved{0};

std::string in_mib(size_t bytes) {
  char text[32];
  std::snprintf(text, sizeof text, "%.1f MiB", static_cast<double>(bytes) / (1 << 20));
  return text;
}

}  // namespace

void set_memory_cap(size_t bytes) { cap = bytes; }
size_t memory_cap() { return cap; }
size_t memory_reserved() { return reserved; }

MemoryReservation::MemoryReservation(size_t bytes, const std::string& purpose) {
  const size_t total = reserved.fetch_add(bytes) + bytes;
  const size_t limit = cap;
  if (limit != 0 && total > limit) {
    reserved -= bytes;
    throw MemoryCapError(purpose + " wants " + in_mib(bytes) + " on top of " + in_mib(total - bytes) +
                         " in use, but the memory cap allows " + in_mib(limit) +
                         ": raise --mem-cap or make the job smaller");
  }
  bytes_ = bytes;
}

MemoryReservation::~MemoryReservation() { reserved -= bytes_; }

template <class T>
AlignedBuffer<T>::AlignedBuffer(size_t size, const std::string& purpose) : size_(size) {
  constexpr size_t kAlignment = 64;
  const size_t bytes = (size * sizeof(T) + 2 * kAlignment - 1) / kAlignment * kAlignment;
  reservation_ = MemoryReservation(bytes, purpose);
  data_ = static_cast<T*>(std::aligned_alloc(kAlignment, bytes));
  if (data_ == nullptr) throw std::bad_alloc();
  std::memset(static_cast<void*>(data_), 0, bytes);
}

template <class T>
AlignedBuffer<T>::~AlignedBuffer() {
  std::free(data_);
}

template class AlignedBuffer<float>;
template class AlignedBuffer<double>;

}  // namespace agpt
