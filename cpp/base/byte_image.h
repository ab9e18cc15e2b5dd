// A run of bytes in memory pages of its own: a file mapped for reading, or room for an image that is being built.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <utility>

#include "cpp/base/memory.h"

namespace agpt {

class ByteImage {
 public:
  ByteImage() = default;
  /// Maps a whole file for reading. Throws FormatError if it cannot be opened or read.
  static ByteImage map_file(const std::string& path);
  /// `size` zeroed bytes to write to; counts towards the memory cap, under the name `purpose`.
  static ByteImage allocate(size_t size, const std::string& purpose);

  ~ByteImage();
  ByteImage(ByteImage&& other) noexcept { *this = std::move(other); }
  ByteImage& operator=(ByteImage&& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
    reservation_ = std::move(other.reservation_);
    return *this;
  }

  /// Starts on a page boundary.
  std::span<const std::byte> bytes() const { return {data_, size_}; }
  /// Only for an allocated image: the pages of a mapped file are read-only.
  std::span<std::byte> writable() { return {data_, size_}; }
  /// Gives the memory of `part` of the bytes back to the system, as far as whole pages go. Those of an allocated image
  /// are 0 from then on, and still count towards the cap; those of a mapped file are read again when needed.
  void discard(std::span<const std::byte> part) const;

 private:
  std::byte* data_ = nullptr;
  size_t size_ = 0;
  MemoryReservation reservation_;
};

}  // namespace agpt
