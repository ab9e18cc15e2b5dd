#include "cpp/diagnostics/sorted_windows.h"

#include "cpp/trie/suffix_chunks.h"

namespace agpt {

SortedWindows::SortedWindows(TokenView text, std::vector<uint32_t> starts, int length) {
  if (starts.empty()) return;
  const size_t n = starts.size();
  reserved_ = MemoryReservation(n, "the sorted windows");
  const int depth = length - 1;  // the sorter compares one token more than its depth
  const MemoryReservation working(n * sizeof(uint32_t) + SuffixChunks::table_bytes(1) + WindowSorter::scratch_bytes(n),
                                  "sorting windows");
  ThreadPool pool(1);
  const PackedText packed(text, depth, pool);
  const auto set = StartSet::of(std::move(starts));
  SuffixChunks chunks(packed, set, IndexOptions{.depth = depth}, 1, pool);
  chunks.load(0, chunks.size(), pool);
  shared_.resize(n);
  WindowSorter sorter(packed, depth);
  uint8_t* shared = shared_.data();
  for (Index chunk = 0; chunk < chunks.size(); ++chunk) {
    chunks.sort(chunk, sorter, shared);
    if (chunks.begins_token(chunk)) *shared = 0;  // what it shares, it shares with the chunk behind it
    shared += chunks.n_suffixes(chunk);
  }
  starts_ = chunks.suffixes(0);  // the chunks lie one behind the other, in order
  suffixes_ = chunks.unload();
}

}  // namespace agpt
