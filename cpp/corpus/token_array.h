// Tokens in memory of one's own, as narrow as the vocabulary allows.
#pragma once

#include "cpp/base/byte_image.h"
#include "cpp/corpus/token_view.h"

namespace agpt {

class TokenArray {
 public:
  TokenArray() = default;
  /// Room for `size` tokens, all 0. Counts towards the memory cap.
  TokenArray(Index size, int token_bytes)
      : image_(ByteImage::allocate(static_cast<size_t>(size) * static_cast<size_t>(token_bytes), "the text")),
        size_(size),
        token_bytes_(token_bytes) {}

  TokenView view() const { return {image_.bytes().data(), size_, token_bytes_}; }
  Index size() const { return size_; }

  void set(Index i, Token token) {
    void* const data = image_.writable().data();
    switch (token_bytes_) {
      case 1:
        static_cast<uint8_t*>(data)[i] = static_cast<uint8_t>(token);
        break;
      case 2:
        static_cast<uint16_t*>(data)[i] = static_cast<uint16_t>(token);
        break;
      default:
        static_cast<uint32_t*>(data)[i] = token;
    }
  }

  /// The tokens to write to; Id is as wide as they are.
  template <class Id>
  std::span<Id> writable() {
    return {reinterpret_cast<Id*>(image_.writable().data()), static_cast<size_t>(size_)};
  }

  /// Gives back the room behind the first `size` tokens.
  void shorten(Index size) { size_ = size; }

 private:
  ByteImage image_;
  Index size_ = 0;
  int token_bytes_ = 1;
};

}  // namespace agpt
