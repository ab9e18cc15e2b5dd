#include "cpp/corpus/split.h"

#include <algorithm>
#include <vector>

#include "cpp/base/error.h"
#include "cpp/base/random.h"

namespace agpt {
namespace {

struct Range {
  Index begin, end;
};

bool are_one_stretch(const std::vector<Range>& ranges) {
  for (size_t i = 1; i < ranges.size(); ++i)
    if (ranges[i].begin != ranges[i - 1].end) return false;
  return !ranges.empty();
}

TokenArray part_of(TokenView tokens, const std::vector<Range>& ranges, bool reverse) {
  Index size = 0;
  for (const Range& range : ranges) size += range.end - range.begin;
  if (!reverse && are_one_stretch(ranges)) return TokenArray::referring_to(tokens.subview(ranges[0].begin, size));
  TokenArray copy(size, tokens.token_bytes());
  Index n = 0;
  for (const Range& range : ranges)
    for (Index i = range.begin; i < range.end; ++i, ++n) copy.set(reverse ? size - 1 - n : n, tokens[i]);
  return copy;
}

std::vector<Range> find_documents(TokenView tokens, Token boundary) {
  std::vector<Range> documents;
  for (Index begin = 0; begin < tokens.size();) {
    const Index end = document_end(tokens, boundary, begin);
    documents.push_back({begin, end});
    begin = end;
  }
  return documents;
}

}  // namespace

Index held_out_part(Index total, double fraction) {
  if (fraction == 0) return 0;
  return std::max<Index>(1, static_cast<Index>(static_cast<double>(total) * fraction));
}

CorpusSplit split_corpus(const Corpus& corpus, double fraction, uint64_t seed, bool reverse) {
  AGPT_REQUIRE(fraction >= 0 && fraction < 1,
               "the held-out fraction is " + std::to_string(fraction) + ", but must be at least 0 and less than 1");
  const TokenView tokens = corpus.tokens();
  std::vector<Range> training, held_out;
  if (corpus.has_documents()) {
    const std::vector<Range> documents = find_documents(tokens, *corpus.vocabulary().boundary());
    std::vector<bool> is_held_out(documents.size());
    const Permutation permutation(documents.size(), seed);
    const Index n_held_out = held_out_part(static_cast<Index>(documents.size()), fraction);
    for (Index i = 0; i < n_held_out; ++i) is_held_out[permutation(static_cast<uint64_t>(i))] = true;
    for (size_t i = 0; i < documents.size(); ++i) (is_held_out[i] ? held_out : training).push_back(documents[i]);
  } else {
    const Index cut = tokens.size() - held_out_part(tokens.size(), fraction);
    training.push_back({0, cut});
    held_out.push_back({cut, tokens.size()});
  }
  CorpusSplit split{part_of(tokens, training, reverse), part_of(tokens, held_out, reverse)};
  AGPT_REQUIRE(split.training.size() >= 2, "the corpus is too short: " + std::to_string(split.training.size()) +
                                               " tokens are left to build on, but an index needs at least 2");
  return split;
}

}  // namespace agpt
