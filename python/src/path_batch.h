// Many token paths from Python at once.
#pragma once

#include "cpp/trie/trie_queries.h"
#include "python/src/bindings.h"

/// Paths of an integer array (n, longest), cut to `lengths` (n) unless that is None; or of a sequence of sequences of ids,
/// for which `lengths` must be None. ArgumentError for anything else.
agpt::PathBatch paths_of(nb::handle paths, nb::handle lengths);
