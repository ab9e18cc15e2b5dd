// Collects the sentences of a verifier: the first in full, the rest as a number.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "cpp/base/types.h"

namespace agpt {

class ViolationList {
 public:
  /// Notes a violation, a sentence put together from texts and numbers, unless `condition` holds.
  template <class... Piece>
  void require(bool condition, const Piece&... pieces) {
    if (condition) return;
    if (++n_ > kShown) return;
    std::string sentence;
    (sentence.append(to_text(pieces)), ...);
    sentences_.push_back(std::move(sentence));
  }

  std::vector<std::string> finish() {
    if (n_ > kShown) sentences_.push_back("and " + std::to_string(n_ - kShown) + " more violations");
    return std::move(sentences_);
  }

 private:
  static constexpr Index kShown = 20;
  static std::string to_text(const char* text) { return text; }
  static std::string to_text(Index number) { return std::to_string(number); }

  std::vector<std::string> sentences_;
  Index n_ = 0;
};

}  // namespace agpt
