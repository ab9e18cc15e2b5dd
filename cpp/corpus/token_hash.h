// A hash that says whether two runs of tokens are the same text.
#pragma once

#include "cpp/corpus/token_view.h"

namespace agpt {

/// FNV-1a over the ids, four little-endian bytes each; the count is mixed in last. The start value is the published
/// basis without its last digit, as the reference tools have it, so that hashes can be compared with theirs.
uint64_t token_hash(TokenView tokens);

}  // namespace agpt
