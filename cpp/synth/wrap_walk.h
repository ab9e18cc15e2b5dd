// The walk that wraps around: a path of the trie to its end, one bridge token, and on with a path that begins with it.
#pragma once

#include <algorithm>
#include <optional>

#include "cpp/synth/leaf_table.h"
#include "cpp/synth/synthesis.h"
#include "cpp/synth/text_writer.h"

namespace agpt {

/// What the cuts of a walk cut at; none where the vocabulary has no such character.
struct CutTokens {
  std::optional<Token> space, newline;
};

/// Leaves is UniformLeaves or ReferenceLeaves.
template <class Id, class Leaves>
class WrapWalk {
 public:
  /// tokens: the text of the trie. All must outlive it.
  WrapWalk(std::span<const Id> tokens, const LeafTable& table, Leaves& leaves, const SynthesisOptions& options,
           const CutTokens& cuts)
      : tokens_(tokens), table_(table), leaves_(leaves), options_(options), cuts_(cuts) {}

  /// Fills the writer and counts into `result`. The text continues `seed`, a token that is not written, if there is one.
  void run(std::optional<Token> seed, TextWriter<Id>& writer, Synthesis& result) {
    while (!writer.is_full()) {
      std::optional<uint32_t> number = leaves_.choose(seed);
      const size_t begin = number && seed ? 1 : 0;  // what the walk before has written
      if (!number) {
        number = leaves_.choose(std::nullopt);
        ++result.restarts;
      }
      const Leaf& leaf = table_[*number];
      const Id* const path = tokens_.data() + leaf.text;
      const size_t edge = std::max<size_t>(begin, leaf.parent_depth);
      const size_t cut = cut_length(leaf, path + edge, leaf.depth - edge);
      const size_t end = cut > 0 ? edge + cut : leaf.depth;
      if (!writer.write(path + begin, edge - begin) || writer.is_full()) return;
      result.cut_wraps += cut > 0;
      if (!writer.write(path + edge, end - edge)) return;
      if (cut > 0) {
        seed = path[end - 1];
      } else {
        if (writer.is_full()) return;
        seed = bridge(leaf);
        writer.write(*seed);
      }
      ++result.wraps;
    }
  }

 private:
  // How much of the last edge, of which `n` tokens are not written yet, to write before wrapping there; 0: there is no
  // cut.
  size_t cut_length(const Leaf& leaf, const Id* edge, size_t n) const {
    if (leaf.is_single && options_.prune_mass1_head && n > 0) return 1;
    if (leaf.is_single && options_.prune_mass1_space)
      for (size_t i = 0; i < n; ++i)
        if (edge[i] == cuts_.space || edge[i] == cuts_.newline) return i + 1;
    if (options_.space_cut)
      for (size_t i = n; i > 0; --i)
        if (edge[i - 1] == cuts_.space) return i;
    return 0;
  }

  Token bridge(const Leaf& leaf) {
    if (leaf.followers == LeafTable::kOneFollower) {
      const Token token = tokens_[size_t{leaf.text} + leaf.depth];
      if (!options_.space_align || token != cuts_.space) leaves_.skip_choice();
      return token;
    }
    const std::span<const TokenCount> followers = table_.followers(leaf.followers);
    if (options_.space_align && space_is_frequent(followers)) return *cuts_.space;
    return leaves_.choose(followers, leaf.mass).token;
  }

  // Of equally frequent followers, those with smaller ids come first.
  bool space_is_frequent(std::span<const TokenCount> followers) const {
    const auto space = std::find_if(followers.begin(), followers.end(),
                                    [&](const TokenCount& follower) { return follower.token == cuts_.space; });
    if (space == followers.end()) return false;
    const auto n_before = std::count_if(followers.begin(), followers.end(), [&](const TokenCount& other) {
      return other.count > space->count || (other.count == space->count && other.token < space->token);
    });
    return n_before < options_.space_align_topk;
  }

  std::span<const Id> tokens_;
  const LeafTable& table_;
  Leaves& leaves_;
  const SynthesisOptions& options_;
  const CutTokens& cuts_;
};

}  // namespace agpt
