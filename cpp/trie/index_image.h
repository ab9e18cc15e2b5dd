// Puts the parts of an index together as the bytes of its file.
#pragma once

#include <vector>

#include "cpp/base/byte_image.h"
#include "cpp/corpus/split.h"
#include "cpp/corpus/vocabulary.h"
#include "cpp/trie/trie_part.h"

namespace agpt {

/// What an index file holds besides the trie.
struct IndexSource {
  const CorpusSplit& split;
  const Vocabulary& vocabulary;
  const IndexOptions& options;
  Index n_starts;
};

/// The image depends on the parts alone, which are emptied on the way: the peak is little more than the image. parts:
/// in token order. Throws ArgumentError if there are 2^32 nodes or more.
template <class Id>
ByteImage make_index_image(const IndexSource& source, std::vector<TriePart<Id>>& parts);

}  // namespace agpt
