// Reads numbers from bytes that nobody vouches for: every step is checked against the end.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>

#include "cpp/base/error.h"

namespace agpt {

/// A little-endian number anywhere in memory.
inline uint32_t load_u32(const std::byte* at) {
  uint32_t number;
  std::memcpy(&number, at, sizeof number);
  return number;
}

class ByteReader {
 public:
  /// `name` says in errors what is read.
  ByteReader(std::span<const std::byte> bytes, std::string name) : bytes_(bytes), name_(std::move(name)) {}

  size_t remaining() const { return bytes_.size() - at_; }

  /// Throw FormatError beyond the end.
  uint32_t u32() { return load_u32(take(sizeof(uint32_t))); }
  uint64_t u64() {
    uint64_t number;
    std::memcpy(&number, take(sizeof number), sizeof number);
    return number;
  }
  const std::byte* take(size_t size) {
    if (size > remaining()) fail("it ends in the middle of a record");
    const std::byte* const here = bytes_.data() + at_;
    at_ += size;
    return here;
  }

  /// Throw FormatError if a number is not what it must be; if there is anything left.
  void require(bool condition, const char* reason) const {
    if (!condition) fail(reason);
  }
  void require_end() const { require(remaining() == 0, "there are bytes behind the last record"); }

  [[noreturn]] void fail(const std::string& reason) const {
    throw FormatError(name_ + " is damaged near byte " + std::to_string(at_) + ": " + reason);
  }

 private:
  std::span<const std::byte> bytes_;
  std::string name_;
  size_t at_ = 0;
};

}  // namespace agpt
