// Tokens in memory that belongs to someone else, one, two or four bytes each.
#pragma once

#include <cstdint>
#include <span>

#include "cpp/base/types.h"

namespace agpt {

/// The narrowest of 1, 2 and 4 bytes that holds every id of a vocabulary.
inline int token_bytes_for(Index vocabulary_size) {
  return vocabulary_size <= 256 ? 1 : vocabulary_size <= 65536 ? 2 : 4;
}

class TokenView {
 public:
  TokenView() = default;
  /// data: (size) ids of `token_bytes` (1, 2 or 4) bytes, aligned to that width.
  TokenView(const void* data, Index size, int token_bytes) : data_(data), size_(size), token_bytes_(token_bytes) {}
  template <class Id>
  explicit TokenView(std::span<const Id> ids)
      : TokenView(ids.data(), static_cast<Index>(ids.size()), static_cast<int>(sizeof(Id))) {}

  Index size() const { return size_; }
  bool empty() const { return size_ == 0; }
  int token_bytes() const { return token_bytes_; }
  const void* data() const { return data_; }

  Token operator[](Index i) const {
    switch (token_bytes_) {
      case 1:
        return static_cast<const uint8_t*>(data_)[i];
      case 2:
        return static_cast<const uint16_t*>(data_)[i];
      default:
        return static_cast<const uint32_t*>(data_)[i];
    }
  }

  TokenView subview(Index begin, Index size) const {
    return {static_cast<const char*>(data_) + begin * token_bytes_, size, token_bytes_};
  }

  /// Calls visitor with a std::span of const uint8_t, uint16_t or uint32_t: loops over many tokens choose the width
  /// once.
  template <class Visitor>
  decltype(auto) visit(Visitor&& visitor) const {
    const auto size = static_cast<size_t>(size_);
    switch (token_bytes_) {
      case 1:
        return visitor(std::span(static_cast<const uint8_t*>(data_), size));
      case 2:
        return visitor(std::span(static_cast<const uint16_t*>(data_), size));
      default:
        return visitor(std::span(static_cast<const uint32_t*>(data_), size));
    }
  }

 private:
  const void* data_ = nullptr;
  Index size_ = 0;
  int token_bytes_ = 1;
};

}  // namespace agpt
