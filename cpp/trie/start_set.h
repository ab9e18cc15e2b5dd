// The starts of a trie: the tokens of a text at which its paths begin.
#pragma once

#include <optional>
#include <vector>

#include "cpp/corpus/token_view.h"
#include "cpp/trie/index_options.h"

namespace agpt {

/// Ascending token numbers; evenly spaced ones take no memory.
class StartSet {
 public:
  /// The starts that a rule chooses among `tokens`. Throws ArgumentError if the rule does not suit the corpus: documents
  /// need a `boundary`, stride and max a running text.
  static StartSet choose(TokenView tokens, std::optional<Token> boundary, const Starts& rule);
  /// listed: ascending.
  static StartSet of(std::vector<uint32_t> listed) { return StartSet(std::move(listed)); }

  uint32_t size() const { return size_; }
  uint32_t operator[](uint32_t i) const { return stride_ > 0 ? i * stride_ : listed_[i]; }
  /// Bytes that choose() takes.
  static size_t bytes_needed(TokenView tokens, std::optional<Token> boundary, const Starts& rule);

  /// Calls body(start) for starts number begin .. end - 1.
  template <class Body>
  void for_each(uint32_t begin, uint32_t end, Body body) const {
    if (stride_ > 0) {
      for (uint32_t i = begin; i < end; ++i) body(i * stride_);
    } else {
      for (uint32_t i = begin; i < end; ++i) body(listed_[i]);
    }
  }

 private:
  StartSet(uint32_t size, uint32_t stride) : size_(size), stride_(stride) {}
  explicit StartSet(std::vector<uint32_t> listed)
      : size_(static_cast<uint32_t>(listed.size())), stride_(0), listed_(std::move(listed)) {}

  uint32_t size_;
  uint32_t stride_;  // 0: they are listed
  std::vector<uint32_t> listed_;
};

/// The same as an array.
std::vector<uint32_t> choose_starts(TokenView tokens, std::optional<Token> boundary, const Starts& rule);

}  // namespace agpt
