// Tokens as narrow as the vocabulary allows, in memory of one's own, or with someone else.
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

  /// The tokens of someone else, who must outlive this; they cannot be set.
  static TokenArray referring_to(TokenView tokens) {
    TokenArray array;
    array.elsewhere_ = tokens.data();
    array.size_ = tokens.size();
    array.token_bytes_ = tokens.token_bytes();
    return array;
  }

  TokenView view() const { return {elsewhere_ ? elsewhere_ : image_.bytes().data(), size_, token_bytes_}; }
  Index size() const { return size_; }
  bool is_elsewhere() const { return elsewhere_ != nullptr; }

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
  const void* elsewhere_ = nullptr;
  Index size_ = 0;
  int token_bytes_ = 1;
};

}  // namespace agpt
