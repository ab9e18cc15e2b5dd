#include "cpp/rows/sequence_trie.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <limits>
#include <numeric>

#include "cpp/base/checksum.h"
#include "cpp/base/error.h"
#include "cpp/base/random.h"

namespace agpt {
namespace {

template <class T>
uint64_t checksum_of(const std::vector<T>& values) {
  return checksum(std::as_bytes(std::span(values)));
}

/// The sequences in lexicographic order, each with its rows: a row for every token but the last. Neighbours share their
/// first rows.
class SortedSequences {
 public:
  SortedSequences(const WeightedSequences& all, bool share) : all_(all), share_(share) {
    const size_t n = all.begin.size() - 1;
    for (size_t s = 0; s < n; ++s) {
      auto end = static_cast<size_t>(all.begin[s + 1]);
      const auto begin = static_cast<size_t>(all.begin[s]);
      while (end > begin + 1 && all.weight[end - 1] == 0) --end;  // nothing is predicted behind this
      length_.push_back(end - begin);
    }
    order_.resize(n);
    std::iota(order_.begin(), order_.end(), size_t{0});
    std::stable_sort(order_.begin(), order_.end(), [this](size_t a, size_t b) {
      const std::span<const Token> x = tokens(a), y = tokens(b);
      return std::lexicographical_compare(x.begin(), x.end(), y.begin(), y.end());
    });
  }

  std::span<const Token> tokens(size_t s) const {
    return std::span(all_.tokens).subspan(static_cast<size_t>(all_.begin[s]), length_[s]);
  }

  /// Calls visit(tokens, weights, n_shared): how many of its rows the sequence before has made.
  template <class Visit>
  void visit(Visit visit) const {
    std::span<const Token> before;
    for (const size_t s : order_) {
      const std::span<const Token> here = tokens(s);
      if (here.size() < 2) continue;
      const auto common = std::mismatch(here.begin(), here.end(), before.begin(), before.end()).first - here.begin();
      const size_t n_shared = before.empty() || !share_ ? 0 : std::min(static_cast<size_t>(common), before.size() - 1);
      visit(here, all_.weight.data() + all_.begin[s], n_shared);
      before = here;
    }
  }

 private:
  const WeightedSequences& all_;
  const bool share_;
  std::vector<size_t> length_, order_;
};

}  // namespace

void WeightedSequences::add(std::span<const Token> sequence, double sequence_weight,
                            std::span<const double> token_weights) {
  const auto number = [&] { return "sequence " + std::to_string(begin.size() - 1); };
  AGPT_REQUIRE(token_weights.empty() || token_weights.size() == sequence.size(),
               number() + " has " + std::to_string(sequence.size()) + " tokens, but " +
                   std::to_string(token_weights.size()) + " weights: give one for each token");
  for (size_t i = 0; i < sequence.size(); ++i) {
    const double product = sequence_weight * (token_weights.empty() ? 1 : token_weights[i]);
    AGPT_REQUIRE(product >= 0 && std::isfinite(product),
                 number() + " has the weight " + std::to_string(product) + ", but weights are numbers of at least 0");
    tokens.push_back(sequence[i]);
    weight.push_back(product);
  }
  begin.push_back(static_cast<Index>(tokens.size()));
}

SequenceTrie::SequenceTrie(const WeightedSequences& sequences, Vocabulary vocabulary, bool share)
    : vocabulary_(std::move(vocabulary)),
      n_sequences_(static_cast<Index>(sequences.begin.size()) - 1),
      hash_(checksum_of(sequences.tokens) ^ mix_bits(checksum_of(sequences.weight)) ^
            mix_bits(mix_bits(checksum_of(sequences.begin)))) {
  for (const Token token : sequences.tokens)
    AGPT_REQUIRE(token < static_cast<Token>(vocabulary_.size()), "token " + std::to_string(token) +
                                                                     " is outside the vocabulary of " +
                                                                     std::to_string(vocabulary_.size()) + " ids");
  const SortedSequences sorted(sequences, share);
  // Rows, and how many targets each will have: sequences come in order, so equal targets of a row come in a run.
  std::vector<int32_t> path;  // row of each depth of the sequence
  std::vector<Index> last_target;
  target_begin_.push_back(0);
  sorted.visit([&](std::span<const Token> tokens, const double* weights, size_t n_shared) {
    add_rows(tokens, n_shared, path);
    last_target.resize(token_.size(), -1);
    target_begin_.resize(token_.size() + 1);
    n_flat_rows_ += static_cast<Index>(tokens.size()) - 1;
    for (size_t d = 0; d + 1 < tokens.size(); ++d) {
      const auto row = static_cast<size_t>(path[d]);
      if (weights[d + 1] == 0 || last_target[row] == static_cast<Index>(tokens[d + 1])) continue;
      last_target[row] = static_cast<Index>(tokens[d + 1]);
      ++target_begin_[row + 1];
    }
  });
  AGPT_REQUIRE(!token_.empty(), "there is nothing to predict: every sequence has a single token, or no weight");
  for (size_t row = 0; row < token_.size(); ++row) {
    n_positions_ += target_begin_[row + 1] > 0;
    target_begin_[row + 1] += target_begin_[row];
  }
  // The same walk again, now with a place for every target.
  target_token_.resize(static_cast<size_t>(target_begin_.back()));
  target_weight_.resize(target_token_.size());
  std::vector<Index> filled(target_begin_.begin(), target_begin_.end() - 1);
  int32_t next_row = 0;
  sorted.visit([&](std::span<const Token> tokens, const double* weights, size_t n_shared) {
    path.resize(n_shared);
    while (path.size() + 1 < tokens.size()) path.push_back(next_row++);
    for (size_t d = 0; d + 1 < tokens.size(); ++d) {
      if (weights[d + 1] == 0) continue;
      const auto row = static_cast<size_t>(path[d]);
      const bool is_new =
          filled[row] == target_begin_[row] || target_token_[static_cast<size_t>(filled[row] - 1)] != tokens[d + 1];
      if (is_new) target_token_[static_cast<size_t>(filled[row]++)] = tokens[d + 1];
      target_weight_[static_cast<size_t>(filled[row] - 1)] += weights[d + 1];
      total_weight_ += weights[d + 1];
    }
  });
}

void SequenceTrie::add_rows(std::span<const Token> sequence, size_t n_shared, std::vector<int32_t>& path) {
  AGPT_REQUIRE(token_.size() + sequence.size() < static_cast<size_t>(std::numeric_limits<int32_t>::max()),
               "the sequences have more than 2^31 distinct prefixes: train on fewer at a time");
  path.resize(n_shared);
  for (size_t d = n_shared; d + 1 < sequence.size(); ++d) {
    parent_.push_back(d == 0 ? -1 : path[d - 1]);
    path.push_back(static_cast<int32_t>(token_.size()));
    token_.push_back(sequence[d]);
    row_depth_.push_back(static_cast<int32_t>(d) + 1);
  }
  depth_ = std::max(depth_, static_cast<int>(sequence.size()) - 1);
}

void SequenceTrie::append(Index begin, Index end, RowBatch& batch) const {
  if (begin >= end) return;
  std::vector<int32_t> rows;  // the ancestors of `begin`, then the range
  for (int32_t row = parent_[static_cast<size_t>(begin)]; row >= 0; row = parent_[static_cast<size_t>(row)])
    rows.push_back(row);
  std::reverse(rows.begin(), rows.end());
  for (Index row = begin; row < end; ++row) rows.push_back(static_cast<int32_t>(row));
  std::vector<int32_t> row_at_depth(static_cast<size_t>(depth_) + 1, -1);
  for (const int32_t number : rows) {
    const auto row = static_cast<size_t>(number), depth = static_cast<size_t>(row_depth_[row]);
    row_at_depth[depth] = batch.begin_row(token_[row], row_depth_[row] - 1, row_at_depth[depth - 1]);
    if (number >= begin)
      for (auto t = static_cast<size_t>(target_begin_[row]); t < static_cast<size_t>(target_begin_[row + 1]); ++t)
        batch.add_target(target_token_[t], target_weight_[t]);
    batch.end_row();
  }
}

std::vector<Index> SequenceTrie::cuts(Index size) const {
  constexpr Index kRowsForAGhost = 8;  // batches may differ so much from `size` to save one row
  const auto cost = [&](Index begin, Index end) {
    const Index ghosts = row_depth_[static_cast<size_t>(end)] - 1;
    return kRowsForAGhost * ghosts + std::abs(end - begin - size);
  };
  std::vector<Index> cuts = {0};
  while (n_rows() - cuts.back() > 3 * size) {
    const Index begin = cuts.back();
    Index best = begin + size;
    for (Index end = begin + (size + 1) / 2; end <= begin + 3 * size; ++end)
      if (cost(begin, end) < cost(begin, best)) best = end;
    cuts.push_back(best);
  }
  cuts.push_back(n_rows());
  return cuts;
}

}  // namespace agpt
