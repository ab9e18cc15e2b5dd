// Counts an index again from its text, by other means than the builder: the starts are dealt out from the root down,
// and what every node should hold is compared with what it holds.
//
// At the root all starts are one group. A group runs down its edge together until its members part, or the depth, or
// the text or document ends; there it is the node, and it is split by the next token into the groups of the children.
// So every start is followed to the place where its path ends, every row is met with exactly the starts that run
// through it, and siblings have different tokens. A group that has no edge in the index must have been dropped by a
// rule, and is listed as a target that no child stands for. If every comparison holds, the index has every path, no
// other, each once, with its mass and targets, in order: it is the trie of the text.
//
// Cost: one visit of a start for each node on its path. A group of one start ends at once.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "cpp/trie/path_limits.h"
#include "cpp/trie/trie_index.h"

namespace agpt {

/// What a recount saw, by depth (element d: rows of depth d).
struct RecountTotals {
  explicit RecountTotals(int depth)
      : rows(static_cast<size_t>(depth) + 2), shared(rows), nodes(rows), mass(rows), dropped(rows) {}
  std::vector<uint64_t> rows, shared, nodes, mass;  // (depth + 1) when the recount is done; differences before
  std::vector<uint64_t> dropped;                    // (depth + 1) starts on rows that a rule leaves out
  uint64_t n_entries = 0;
};

/// limits: of the index's text. starts: those of the index's options, ascending; reordered. Calls report(sentence) for
/// each difference, and ends at the first that leaves nothing behind it to compare. The index must have no fault of
/// structure: see find_structure_fault(). Throws MemoryCapError.
RecountTotals recount_trie(const TrieIndex& index, const PathLimits& limits, std::span<uint32_t> starts,
                           const std::function<void(std::string)>& report);

}  // namespace agpt
