// Memory of the engine: aligned buffers that count towards a process-wide cap, so that a job too large for the
// machine ends in one sentence instead of in the kernel's out-of-memory killer.
#pragma once

#include <cstddef>
#include <string>
#include <utility>

#include "cpp/base/types.h"

namespace agpt {

/// Sets the cap in bytes on all reservations together; 0 removes it (the default).
void set_memory_cap(size_t bytes);
size_t memory_cap();

/// Bytes reserved at this moment.
size_t memory_reserved();

/// A claim on `bytes` of memory for `purpose` ("the index builder", "activations"), given back by the destructor.
/// Throws MemoryCapError, naming what was wanted, what is taken and what is allowed, if the cap would be exceeded.
class MemoryReservation {
 public:
  MemoryReservation() = default;
  MemoryReservation(size_t bytes, const std::string& purpose);
  ~MemoryReservation();
  MemoryReservation(MemoryReservation&& other) noexcept : bytes_(std::exchange(other.bytes_, 0)) {}
  MemoryReservation& operator=(MemoryReservation&& other) noexcept {
    std::swap(bytes_, other.bytes_);
    return *this;
  }

  size_t bytes() const { return bytes_; }

 private:
  size_t bytes_ = 0;
};

/// Elements that start on a 64-byte boundary, zeroed, with one cache line to spare behind them so that a vector load
/// at the end stays inside. T is trivially copyable.
template <class T>
class AlignedBuffer {
 public:
  AlignedBuffer() = default;
  AlignedBuffer(size_t size, const std::string& purpose);
  ~AlignedBuffer();
  AlignedBuffer(AlignedBuffer&& other) noexcept { *this = std::move(other); }
  AlignedBuffer& operator=(AlignedBuffer&& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
    reservation_ = std::move(other.reservation_);
    return *this;
  }

  T* data() { return data_; }
  const T* data() const { return data_; }
  size_t size() const { return size_; }
  T& operator[](size_t i) { return data_[i]; }
  const T& operator[](size_t i) const { return data_[i]; }

  /// Makes room for `size` elements; the content is lost when the buffer has to grow.
  void grow(size_t size, const char* purpose) {
    if (size > size_) *this = AlignedBuffer(size, purpose);
  }

 private:
  T* data_ = nullptr;
  size_t size_ = 0;
  MemoryReservation reservation_;
};

extern template class AlignedBuffer<float>;
extern template class AlignedBuffer<double>;

}  // namespace agpt
