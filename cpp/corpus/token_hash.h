// Hashes that say whether two runs of tokens, or their texts, are the same. They are FNV-1a with the published basis
// without its last digit, as the reference tools have it, so that hashes can be compared with theirs.
#pragma once

#include "cpp/corpus/token_view.h"

namespace agpt {

/// Over the ids, four little-endian bytes each; the count is mixed in last.
uint64_t token_hash(TokenView tokens);

/// Over the bytes.
uint64_t text_hash(std::span<const char> text);

}  // namespace agpt
