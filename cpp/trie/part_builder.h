// Sorts groups of chunks and turns them into parts of an index, on all threads.
#pragma once

#include <functional>
#include <vector>

#include "cpp/trie/build_input.h"
#include "cpp/trie/part_image.h"

namespace agpt {

/// Suffixes that agree up to the end of their documents were told apart by what comes after it: makes them ties, in text
/// order. suffixes, common: (n) as WindowSorter leaves them.
void stop_at_document_ends(const PathLimits& limits, int depth, uint32_t* suffixes, uint8_t* common, uint32_t n);

template <class Id>
class PartBuilder {
 public:
  /// tokens: of the input's training text. All references must outlive this.
  PartBuilder(std::span<const Id> tokens, const IndexOptions& options, BuildInput& input, ThreadPool& pool);

  /// The parts of chunks first .. last - 1, whose suffixes are loaded meanwhile. report(n_suffixes) is called from the
  /// calling thread now and then, with the number that was finished in this call.
  std::vector<PartImage> build(Index first, Index last, const std::function<void(Index)>& report);

  /// The parts of all chunks with those of the nodes, of depth 1, that several of them share: each before the first
  /// chunk that shares it.
  std::vector<PartImage> with_shared_tokens(std::vector<PartImage> parts);

 private:
  struct Worker {
    WindowSorter sorter;
    TriePartBuilder<Id> builder;
    TriePart<Id> part;
    std::vector<uint8_t> common;
  };
  PartImage build_part(Index chunk, Worker& worker);
  PartImage build_token(std::span<const PartImage> parts);

  const PathLimits& limits_;
  const IndexOptions& options_;
  SuffixChunks& chunks_;
  ThreadPool& pool_;
  std::vector<Worker> workers_;
};

extern template class PartBuilder<uint8_t>;
extern template class PartBuilder<uint16_t>;
extern template class PartBuilder<uint32_t>;

}  // namespace agpt
