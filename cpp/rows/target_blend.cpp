#include "cpp/rows/target_blend.h"

#include <cmath>

#include "cpp/base/error.h"

namespace agpt {
namespace {

void require_blending_fits(const Blending& blending, const TrieIndex& index) {
  AGPT_REQUIRE(blending.share >= 0 && blending.share <= 1,
               "blend is " + std::to_string(blending.share) + ", but must be from 0 to 1");
  AGPT_REQUIRE(blending.least_mass >= 1,
               "blend_min_mass is " + std::to_string(blending.least_mass) + ", but must be at least 1");
  AGPT_REQUIRE(index.options().starts.rule != Starts::Rule::documents,
               "blend mixes in what follows the suffixes of a path, but all paths of this index begin with documents: "
               "build it with the starts every");
}

const TrieIndex& checked(const TrieIndex& index, const Blending& blending) {
  require_blending_fits(blending, index);
  return index;
}

bool has_every_path(const TrieIndex& index) {
  const IndexOptions& options = index.options();
  return options.starts.rule == Starts::Rule::every && options.prune_min_mass <= 1 &&
         options.corpus_end == CorpusEnd::exact;
}

double sum_of(std::span<const TokenCount> targets) {
  double sum = 0;
  for (const TokenCount& target : targets) sum += target.count;
  return sum;
}

}  // namespace

TargetBlend::TargetBlend(const TrieIndex& index, const Blending& blending, Index n_ready)
    : index_(checked(index, blending)),
      blending_(blending),
      suffixes_occur_as_often_(has_every_path(index)),
      frequent_(index, n_ready) {}

// Of all suffixes that are shorter than the path.
TokenMixture TargetBlend::mixture_of_suffixes(std::span<const Token> path, double own_count) const {
  const SuffixMixtures::Found found = frequent_.longest(path.last(path.size() - 1));
  TokenMixture mixture = *found.mixture;
  std::vector<TokenCount> targets;
  for (size_t length = found.length + 1; length < path.size(); ++length) {
    const TrieIndex::Place place = index_.locate(path.last(length));
    if (static_cast<size_t>(place.depth) < length) continue;  // pruned, or at no start
    index_.targets_at(place, targets);
    // Where a suffix occurs as often as the path, they occur at the same places, and so do the suffixes between them.
    const bool is_same = suffixes_occur_as_often_ && sum_of(targets) == own_count;
    for (size_t i = length; i < (is_same ? path.size() : length + 1); ++i) mixture.add(targets);
    if (is_same) break;
  }
  return mixture;
}

void TargetBlend::add_targets(std::span<const Token> path, double weight, RowBatch& batch) const {
  std::vector<TokenCount> own;
  const TrieIndex::Place place = index_.locate(path);
  index_.targets_at(place, own);
  if (place.depth == index_.depth(place.node)) return add_targets(path, own, weight, batch);
  batch.add_target(own.front().token, weight);
}

void TargetBlend::add_targets(std::span<const Token> path, std::span<const TokenCount> own, double weight,
                              RowBatch& batch) const {
  const double count = sum_of(own);
  if (count < static_cast<double>(blending_.least_mass)) {
    for (const TokenCount& target : own) batch.add_target(target.token, weight * target.count / count);
    return;
  }
  TokenMixture mixture = mixture_of_suffixes(path, count);
  mixture.add(own);
  for (TokenMixture::Element& element : mixture.elements) element.weight *= blending_.share / mixture.total;
  mixture.add_counts(own, (1 - blending_.share) / count);
  for (const TokenMixture::Element& element : mixture.elements)
    batch.add_target(element.token, weight * element.weight);
}

}  // namespace agpt
