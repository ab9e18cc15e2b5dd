// Writes a synthetic corpus from the statistics of a trie: literal pieces of the text, joined where they agree.
#pragma once

#include <functional>

#include "cpp/corpus/token_array.h"
#include "cpp/trie/trie_index.h"

namespace agpt {

/// How a text goes on where a path ends.
enum class SynthesisWalk : uint32_t {
  bridge,  ///< at a path that begins with the last token written
  suffix,  ///< at the longest path that ends with the last tokens written: a Markov text of order `depth`
};

/// What the walk draws its random numbers from.
enum class SynthesisRng : uint32_t {
  xoshiro,    ///< Random of cpp/base/random.h; one number for a whole path
  reference,  ///< the draws of the reference, so that its texts come out bit for bit; for the walk `bridge`
};

struct SynthesisOptions {
  Index n_tokens = 1'000'000;
  uint64_t seed = 42;
  SynthesisWalk walk = SynthesisWalk::bridge;
  SynthesisRng rng = SynthesisRng::xoshiro;
  // For the walk `bridge`:
  bool space_align = false;        ///< bridge with a space if it is among the most frequent followers ...
  Index space_align_topk = 3;      ///< ... of which there are so many
  bool space_cut = false;          ///< end a path at the last space of its last edge
  bool prune_mass1_space = false;  ///< end a path at the first space or line end of a last edge that occurs once
  bool prune_mass1_head = false;   ///< end a path at the first token of a last edge that occurs once
};

struct Synthesis {
  TokenArray tokens;    ///< as wide as those of the index
  Index wraps = 0;      ///< paths written to their end
  Index cut_wraps = 0;  ///< cut short by an option; the last is counted even if it is not written to its end
  Index restarts = 0;   ///< places where nothing could continue the text, so that it went on anywhere
  Index backoffs = 0;  ///< walk `suffix`: tokens of context given up, in all, because the trie lacks the longer context
};

/// Called now and then with the part of the work that is done, 0 .. 1. What it throws ends the synthesis.
using SynthesisProgress = std::function<void(double fraction)>;

/// The same options give the same tokens on every machine. With documents, a boundary token stands between two
/// documents, once. Throws ArgumentError for options out of range, or an index that they do not suit; MemoryCapError.
Synthesis synthesize(const TrieIndex& index, const SynthesisOptions& options,
                     const SynthesisProgress& progress = nullptr);

}  // namespace agpt
