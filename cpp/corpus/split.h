// Parts a corpus into what the trie is built from and what it never sees.
#pragma once

#include "cpp/corpus/corpus.h"

namespace agpt {

/// A part that is one stretch of the corpus, not reversed, refers to it: the corpus must outlive the split. Others are
/// copies.
struct CorpusSplit {
  TokenArray training, held_out;
};

/// How many of `total` tokens or documents `fraction` holds out: rounded down, but at least 1 if fraction > 0.
Index held_out_part(Index total, double fraction);

/// Holds out `fraction` (0 <= fraction < 1) of the corpus: the end of a running text, or whole documents chosen by
/// `seed`, which stay in order; see held_out_part() for how many.
/// `reverse` turns both parts backwards. Throws ArgumentError if fewer than two tokens are left for training.
CorpusSplit split_corpus(const Corpus& corpus, double fraction, uint64_t seed, bool reverse);

}  // namespace agpt
