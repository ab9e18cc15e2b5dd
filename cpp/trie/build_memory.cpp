#include "cpp/trie/build_memory.h"

#include <cstdio>

#include "cpp/base/error.h"
#include "cpp/trie/path_limits.h"
#include "cpp/trie/trie_part.h"

namespace agpt {
namespace {

constexpr Index kFewSuffixes = Index{1} << 22;  // that need not be sorted in several groups to save memory
constexpr uint32_t kUsualGroups = 4;
constexpr int kMostSegments = 16;

std::string in_mib(size_t bytes) {
  char text[32];
  std::snprintf(text, sizeof text, "%.1f MiB", static_cast<double>(bytes) / (1 << 20));
  return text;
}

}  // namespace

BuildMemory::BuildMemory(TokenView tokens, std::optional<Token> boundary, const IndexOptions& options,
                         size_t corpus_bytes, size_t cap, int n_threads)
    : token_bytes_(tokens.token_bytes()),
      n_threads_(n_threads),
      n_segments_(std::min(n_threads, kMostSegments)),
      cap_(cap) {
  while (cap > 0 && n_segments_ > 1 && SuffixChunks::table_bytes(n_segments_) > cap / 8) --n_segments_;
  table_bytes_ = StartSet::bytes_needed(tokens, boundary, options.starts) + PathLimits::bytes_needed(tokens, boundary) +
                 SuffixChunks::table_bytes(n_segments_);
  fixed_bytes_ = corpus_bytes + PackedText::bytes_needed(tokens, options.depth) + table_bytes_;
}

size_t BuildMemory::part_bytes(size_t n) const {
  switch (token_bytes_) {
    case 1:
      return TriePart<uint8_t>::most_bytes(n);
    case 2:
      return TriePart<uint16_t>::most_bytes(n);
    default:
      return TriePart<uint32_t>::most_bytes(n);
  }
}

size_t BuildMemory::thread_bytes(size_t n) const { return WindowSorter::scratch_bytes(n) + n + part_bytes(n); }

size_t BuildMemory::group_bytes(const SuffixChunks& chunks, ChunkGroup group) const {
  const size_t n = chunks.n_suffixes(group.first, group.last);
  return n * sizeof(uint32_t) + part_bytes(n);
}

// As many chunks at a time as fit into `bytes`.
std::vector<ChunkGroup> BuildMemory::group_chunks(const SuffixChunks& chunks, size_t bytes) const {
  std::vector<ChunkGroup> groups;
  for (Index chunk = 0; chunk < chunks.size(); ++chunk) {
    if (groups.empty() || group_bytes(chunks, {groups.back().first, chunk + 1}) > bytes)
      groups.push_back({chunk, chunk + 1});
    else
      groups.back().last = chunk + 1;
  }
  return groups;
}

BuildSchedule BuildMemory::schedule(const SuffixChunks& chunks, bool may_use_files) const {
  const uint32_t n = chunks.n_suffixes(0, chunks.size()), largest = chunks.largest();
  const auto held = [&](int n_threads) {
    return fixed_bytes_ + static_cast<size_t>(n_threads) * thread_bytes(largest);
  };
  const uint32_t in_group = n < kFewSuffixes ? n : n / kUsualGroups;
  const size_t in_memory = held(n_threads_) + in_group * sizeof(uint32_t) + part_bytes(n);
  if (cap_ == 0 || !may_use_files || in_memory <= cap_) {
    const size_t bytes = n < kFewSuffixes ? ~size_t{0} : in_group * sizeof(uint32_t) + part_bytes(in_group);
    return {n_threads_, false, group_chunks(chunks, bytes), in_memory};
  }
  const size_t least_group = largest * sizeof(uint32_t) + part_bytes(largest);
  int n_threads = n_threads_;
  while (n_threads > 1 && held(n_threads) + least_group > cap_) --n_threads;
  const size_t least = held(n_threads) + least_group;
  if (least > cap_)
    throw MemoryCapError("the build needs at least " + in_mib(least) + ", but may take " + in_mib(cap_) +
                         ": allow more memory or make the corpus smaller");
  return {n_threads, true, group_chunks(chunks, cap_ - held(n_threads)), cap_};
}

}  // namespace agpt
