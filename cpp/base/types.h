// The integer types that the whole engine counts with.
#pragma once

#include <cstddef>
#include <cstdint>

namespace agpt {

/// Counts and indices on the host: tokens, rows, nodes, parameters.
using Index = int64_t;

/// A token id. Vocabularies reach 2^31, so every id also fits an int32_t.
using Token = uint32_t;

}  // namespace agpt
