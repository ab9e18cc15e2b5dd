// What a build would cost, from a sample of the sorted suffixes, without building.
#pragma once

#include "cpp/trie/index_builder.h"

namespace agpt {

struct BuildPlan {
  Index n_tokens;            ///< of the training text
  Index n_starts;            ///< exact, as is n_tokens
  double n_positions;        ///< rows, expected
  double n_nodes;            ///< expected
  double index_bytes;        ///< of the file, expected
  double peak_memory_bytes;  ///< of the build's arrays, the corpus included; expected without a cap, else the cap
  bool uses_folder;          ///< whether finished parts wait in files
  int n_groups;              ///< in which the suffixes are sorted
  double seconds;            ///< of an idle machine like this one, expected
};

/// Sorts about 2^18 suffixes, in 1,024 stretches evenly spread over the sorted order, and turns them into parts of an index:
/// nodes, rows and bytes of a stretch are those of its suffixes, but for the path to its first. Packs and scans the whole
/// text. Throws what build_trie_index_file() would.
BuildPlan plan_trie_index(const Corpus& corpus, const IndexOptions& options, const BuildResources& resources);

}  // namespace agpt
