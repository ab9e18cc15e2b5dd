// Windows of one length of a text in sorted order, with what neighbours share: occurrences of paths are then counted
// by scanning, without a trie and without a hash.
#pragma once

#include <vector>

#include "cpp/base/byte_image.h"
#include "cpp/base/memory.h"
#include "cpp/corpus/token_view.h"

namespace agpt {

class SortedWindows {
 public:
  /// Windows of `length` tokens, 1 .. kMaxDepth, that begin at `starts` (ascending) and are cut off at the end of the
  /// text, which sorts before every token. Throws MemoryCapError.
  SortedWindows(TokenView text, std::vector<uint32_t> starts, int length);

  Index size() const { return static_cast<Index>(shared_.size()); }
  /// Where the window begins in the text.
  uint32_t start(Index i) const { return starts_[static_cast<size_t>(i)]; }
  /// How many leading tokens the window has in common with the one before it; 0 for the first.
  int shared(Index i) const { return shared_[static_cast<size_t>(i)]; }

 private:
  MemoryReservation reserved_;
  ByteImage suffixes_;  // owns what starts_ points to
  const uint32_t* starts_ = nullptr;
  std::vector<uint8_t> shared_;
};

}  // namespace agpt
