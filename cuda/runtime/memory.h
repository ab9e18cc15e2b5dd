// Memory of the device: counted, capped and given back by its owners.
#pragma once

#include <atomic>
#include <functional>
#include <string>
#include <utility>

#include "cpp/base/types.h"
#include "cuda/runtime/check.h"

namespace agpt::cuda {

/// Counts the device memory that one backend holds. Thread-safe.
class MemoryCount {
 public:
  /// cap: bytes to hold at most, 0 for what the device has.
  explicit MemoryCount(Index cap) : cap_(cap) {}
  MemoryCount(const MemoryCount&) = delete;
  MemoryCount& operator=(const MemoryCount&) = delete;

  /// Device memory for `what`. Throws DeviceError where the cap or the device does not have it.
  void* take(Index bytes, const char* what);
  void give_back(void* memory, Index bytes) noexcept;

  /// Called before memory is given back, so that nothing is left that would use it.
  void before_giving_back(std::function<void()> call) { before_giving_back_ = std::move(call); }

  Index cap() const { return cap_; }
  Index used() const { return used_; }
  Index peak() const { return peak_; }

 private:
  const Index cap_;
  std::atomic<Index> used_{0}, peak_{0};
  std::function<void()> before_giving_back_;
};

/// An array on the device that grows and keeps what it has grown to.
template <class T>
class DeviceBuffer {
 public:
  DeviceBuffer(MemoryCount& memory, const char* what) : memory_(&memory), what_(what) {}
  DeviceBuffer(MemoryCount& memory, const char* what, Index size) : DeviceBuffer(memory, what) { reserve(size); }
  ~DeviceBuffer() { release(); }
  DeviceBuffer(DeviceBuffer&& other) noexcept
      : memory_(other.memory_),
        what_(other.what_),
        data_(std::exchange(other.data_, nullptr)),
        size_(std::exchange(other.size_, 0)) {}
  DeviceBuffer& operator=(DeviceBuffer&& other) noexcept {
    std::swap(memory_, other.memory_);
    std::swap(what_, other.what_);
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
    return *this;
  }

  /// Makes room for `size` elements; their content is lost where it was too small. True where it grew. The device must be
  /// done with what was there.
  bool reserve(Index size) {
    if (size <= size_) return false;
    release();
    data_ = static_cast<T*>(memory_->take(size * static_cast<Index>(sizeof(T)), what_));
    size_ = size;
    return true;
  }

  T* get() const { return data_; }
  Index size() const { return size_; }
  Index bytes() const { return size_ * static_cast<Index>(sizeof(T)); }

 private:
  void release() noexcept {
    if (data_ != nullptr) memory_->give_back(data_, bytes());
    data_ = nullptr;
    size_ = 0;
  }

  MemoryCount* memory_;
  const char* what_;
  T* data_ = nullptr;
  Index size_ = 0;
};

/// Bytes of host memory that the device copies from and to without a detour; grows like a DeviceBuffer.
class PinnedBuffer {
 public:
  PinnedBuffer() = default;
  ~PinnedBuffer() { release(); }
  PinnedBuffer(const PinnedBuffer&) = delete;
  PinnedBuffer& operator=(const PinnedBuffer&) = delete;

  void reserve(Index bytes);
  std::byte* get() const { return data_; }

 private:
  void release() noexcept;

  std::byte* data_ = nullptr;
  Index bytes_ = 0;
};

}  // namespace agpt::cuda
