// How far a path from a start may run: to the end of the text, or of its document.
#pragma once

#include <algorithm>
#include <optional>
#include <vector>

#include "cpp/corpus/token_view.h"

namespace agpt {

class PathLimits {
 public:
  PathLimits(TokenView tokens, std::optional<Token> boundary) : n_tokens_(tokens.size()) {
    if (!boundary) return;
    // The next boundary after each token, which the token's own path has as its last target. A byte is enough: no path
    // is longer than kMaxDepth.
    to_boundary_.resize(static_cast<size_t>(n_tokens_));
    uint8_t distance = 0;
    for (Index i = n_tokens_ - 1; i >= 0; --i) {
      to_boundary_[static_cast<size_t>(i)] = distance;
      distance = tokens[i] == *boundary ? 1 : static_cast<uint8_t>(std::min(distance + 1, 255));
    }
  }

  static size_t bytes_needed(TokenView tokens, std::optional<Token> boundary) {
    return boundary ? static_cast<size_t>(tokens.size()) : 0;
  }

  bool has_documents() const { return !to_boundary_.empty(); }
  Index n_tokens() const { return n_tokens_; }
  /// Rows on the path from `start`: tokens that are followed by something. With documents no more than 255 are counted.
  Index n_rows(uint32_t start) const { return has_documents() ? to_boundary_[start] : n_tokens_ - 1 - start; }

 private:
  Index n_tokens_;
  std::vector<uint8_t> to_boundary_;
};

}  // namespace agpt
