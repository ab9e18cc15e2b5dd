#include "cpp/diagnostics/sorted_windows.h"

namespace agpt {

SortedWindows::SortedWindows(TokenView text, std::vector<uint32_t> starts, int length) {
  if (starts.empty()) return;
  const size_t n = starts.size();
  reserved_ = MemoryReservation(n * (sizeof(uint32_t) + 1), "the sorted windows");
  const int depth = length - 1;  // the sorter compares one token more than its depth
  const MemoryReservation working(PackedText::bytes_needed(text, depth) + WindowSorter::scratch_bytes(n),
                                  "sorting windows");
  const PackedText packed(text, depth);
  chunks_ = std::make_unique<SuffixChunks>(packed, starts, depth);
  std::vector<uint32_t>().swap(starts);
  shared_.resize(n);
  WindowSorter sorter(packed, depth);
  uint8_t* shared = shared_.data();
  for (Index chunk = 0; chunk < chunks_->size(); ++chunk) {
    chunks_->sort(chunk, sorter, shared);
    shared += chunks_->n_suffixes(chunk);
  }
  starts_ = chunks_->suffixes(0);  // the chunks lie one behind the other, in order
}

}  // namespace agpt
