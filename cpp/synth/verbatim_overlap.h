// How much of a text is copied from a corpus: at each token, the longest stretch ending there that the corpus has word
// for word.
#pragma once

#include <functional>
#include <vector>

#include "cpp/corpus/token_view.h"

namespace agpt {

struct VerbatimOverlap {
  std::vector<uint32_t> lengths;  ///< (tokens of the text) of the longest stretch that ends with each token
  // The longest of them all, the first of equals; 0 if nothing is shared.
  uint32_t longest = 0;
  Index longest_at = 0;         ///< its first token in the text
  Index longest_in_corpus = 0;  ///< its first token in the corpus, where it occurs first
};

/// Called now and then with the part of the work that is done, 0 .. 1. What it throws ends the work.
using OverlapProgress = std::function<void(double fraction)>;

/// These are the matching statistics of the text (Chang and Lawler 1994), in time linear in both. Lengths are not
/// capped by any depth. Throws ArgumentError for a corpus of 2^31 tokens or more, MemoryCapError.
VerbatimOverlap measure_verbatim_overlap(TokenView corpus, TokenView text, const OverlapProgress& progress = nullptr);

}  // namespace agpt
