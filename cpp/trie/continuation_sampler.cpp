#include "cpp/trie/continuation_sampler.h"

#include <algorithm>

#include "cpp/base/error.h"
#include "cpp/base/random.h"

namespace agpt {
namespace {

// One text that grows, with the row of its longest suffix.
class Continuation {
 public:
  Continuation(const TrieIndex& index, std::span<const Token> context, bool exact)
      : index_(index), exact_(exact), text_(context.begin(), context.end()), place_(find()) {}

  // Draws the next token; false if nothing can follow.
  bool draw(Random& random, Token& token) {
    if (place_.depth < 0) return false;
    index_.targets_at(place_, targets_);
    uint64_t total = 0;
    for (const TokenCount& target : targets_) total += target.count;
    if (total == 0) return false;
    uint64_t rest = random.below(total);
    size_t i = 0;
    for (; rest >= targets_[i].count; ++i) rest -= targets_[i].count;
    token = targets_[i].token;
    text_.push_back(token);
    // A longer suffix than the one of before and the token would have been found before, without the token.
    if (!descend(token)) place_ = find();
    return true;
  }

 private:
  // The row of the text, or of its longest suffix; depth -1 if there is none.
  TrieIndex::Place find() const {
    const std::span<const Token> text(text_);
    if (exact_) {
      const TrieIndex::Place place = index_.locate(text);
      return static_cast<size_t>(place.depth) == text.size() ? place : TrieIndex::Place{-1, -1};
    }
    for (size_t length = std::min(text.size(), static_cast<size_t>(index_.depth()));; --length) {
      const TrieIndex::Place place = index_.locate(text.last(length));
      if (static_cast<size_t>(place.depth) == length) return place;
    }
  }

  // Moves to the row below that `token` leads to, if there is one.
  bool descend(Token token) {
    if (place_.depth > 0 && place_.depth < index_.depth(place_.node)) {
      ++place_.depth;
      return true;
    }
    const Index end = place_.node < 0 ? index_.n_nodes() : index_.subtree_end(place_.node);
    for (Index child = place_.node + 1; child < end; child = index_.subtree_end(child))
      if (index_.columns().label[child] == token) {
        place_ = {child, place_.depth + 1};
        return true;
      }
    return false;
  }

  const TrieIndex& index_;
  const bool exact_;
  std::vector<Token> text_;
  TrieIndex::Place place_;
  std::vector<TokenCount> targets_;
};

}  // namespace

std::vector<int32_t> sample_continuations(const TrieIndex& index, const PathBatch& contexts,
                                          const SampleOptions& options) {
  AGPT_REQUIRE(options.n_tokens >= 0,
               "the length of a continuation is " + std::to_string(options.n_tokens) + ", but must be at least 0");
  const auto length = static_cast<size_t>(options.n_tokens);
  std::vector<int32_t> continuations(contexts.size() * length, kNoToken);
  for (size_t i = 0; i < contexts.size(); ++i) {
    Random random(mix_bits(mix_bits(options.seed) + i));
    Continuation continuation(index, contexts[i], options.exact);
    Token token;
    for (size_t k = 0; k < length && continuation.draw(random, token); ++k)
      continuations[i * length + k] = static_cast<int32_t>(token);
  }
  return continuations;
}

}  // namespace agpt
