// Steps over the rows of a trie.
#include <algorithm>
#include <optional>

#include "cpp/base/error.h"
#include "cpp/base/random.h"
#include "cpp/rows/trie_rows.h"
#include "cpp/train/heavy_rows.h"
#include "cpp/train/step_source.h"
#include "cpp/trie/trie_walk.h"

namespace agpt {
namespace {

class TrieSource final : public StepSource {
 public:
  TrieSource(const TrieIndex& index, const TrieStepConfig& config) : index_(index), config_(config) {
    config.validate();
    AGPT_REQUIRE(index.n_positions() > 0, "the index has no positions to train on");
    if (config.unit == TrieStepConfig::Unit::ngram) find_groups();
    batches_per_pass_ = (index.n_positions() + config.batch_rows - 1) / config.batch_rows;
    batches_per_step_ = std::max<Index>(1, (config.positions + config.batch_rows / 2) / config.batch_rows);
    if (config.unit == TrieStepConfig::Unit::positions && config.spread_heavy && steps_per_pass() > 1)
      heavy_.emplace(index, config.weighting, steps_per_pass(), config.batch_rows, config.seed);
  }

  Index steps_per_pass() const override {
    switch (config_.unit) {
      case TrieStepConfig::Unit::whole:
        return 1;
      case TrieStepConfig::Unit::ngram:
        return static_cast<Index>(group_begin_.size()) - 1;
      case TrieStepConfig::Unit::positions:
        break;
    }
    return (batches_per_pass_ + batches_per_step_ - 1) / batches_per_step_;
  }

  StepWork work(Index step) const override {
    const Index pass = step / steps_per_pass(), number = step % steps_per_pass();
    if (config_.unit == TrieStepConfig::Unit::whole) return whole_pass();
    if (config_.unit == TrieStepConfig::Unit::ngram) {
      const auto group = static_cast<size_t>(permuted(number, steps_per_pass(), pass));
      return range(group_begin_[group], group_begin_[group + 1]);
    }
    const Index first = number * batches_per_step_, n_light = std::min(batches_per_step_, batches_per_pass_ - first);
    return {n_light + (heavy_ ? heavy_->n_batches(pass, number) : 0),
            [this, first, pass, number, n_light](Index i, RowBatch& batch) {
              if (i < n_light)
                build(0, index_.n_positions(), permuted(first + i, batches_per_pass_, pass), batch,
                      heavy_ ? heavy_->mass() : kAnyMass);
              else
                heavy_->append(pass, number, i - n_light, batch);
            }};
  }

  StepWork whole_pass() const override { return range(0, index_.n_positions()); }
  double pass_weight() const override { return total_weight(index_, config_.weighting); }
  Index pass_positions() const override { return index_.n_positions(); }

 private:
  // The rows below each path of `ngram` tokens. Shorter paths belong to the group that follows them in pre-order, so
  // every row is in exactly one group.
  void find_groups() {
    group_begin_.push_back(0);
    for (Index node = 0; node < index_.n_nodes();) {
      TrieWalk walk(index_, node);
      TrieEdge edge;
      walk.next(edge);
      if (edge.depth < config_.ngram) {
        ++node;
        continue;
      }
      node = index_.subtree_end(node);
      group_begin_.push_back(node < index_.n_nodes() ? index_.first_row(node) : index_.n_positions());
    }
    if (group_begin_.back() < index_.n_positions()) {
      if (group_begin_.size() == 1) group_begin_.push_back(0);
      group_begin_.back() = index_.n_positions();
    }
  }

  Index permuted(Index number, Index n, Index pass) const {
    if (config_.order == StepOrder::fixed) return number;
    const uint64_t seed = mix_bits(config_.seed) ^ mix_bits(static_cast<uint64_t>(pass));
    return static_cast<Index>(Permutation(static_cast<uint64_t>(n), seed)(static_cast<uint64_t>(number)));
  }

  StepWork range(Index begin, Index end) const {
    return {(end - begin + config_.batch_rows - 1) / config_.batch_rows,
            [this, begin, end](Index i, RowBatch& batch) { build(begin, end, i, batch, kAnyMass); }};
  }

  // Batch i of the rows [begin, end): cut near multiples of batch_rows, where few ghost rows are needed.
  void build(Index begin, Index end, Index i, RowBatch& batch, Index most_mass) const {
    append_trie_rows(index_, cut(begin, end, i), cut(begin, end, i + 1), config_.weighting, batch, most_mass);
  }

  Index cut(Index begin, Index end, Index i) const {
    const Index row = begin + i * config_.batch_rows;
    if (i == 0 || row >= end) return std::min(row, end);
    return std::max(begin, shallowest_cut(index_, row, config_.batch_rows / 4));
  }

  const TrieIndex& index_;
  const TrieStepConfig config_;
  std::vector<Index> group_begin_;  // first row of each group, then n_positions
  Index batches_per_pass_ = 0, batches_per_step_ = 1;
  std::optional<HeavyRows> heavy_;
};

}  // namespace

void TrieStepConfig::validate() const {
  AGPT_REQUIRE(ngram >= 1, "a partition by n-grams needs n of at least 1");
  AGPT_REQUIRE(positions >= 1, "positions per step must be at least 1");
  AGPT_REQUIRE(batch_rows >= 1 && batch_rows <= (1 << 24),
               "batch_rows must be from 1 to 2^24, not " + std::to_string(batch_rows));
  AGPT_REQUIRE(weighting.entropy_lambda >= 0 && std::isfinite(weighting.entropy_lambda),
               "entropy_lambda must be a number of at least 0");
}

std::unique_ptr<StepSource> make_trie_source(const TrieIndex& index, const TrieStepConfig& config) {
  return std::make_unique<TrieSource>(index, config);
}

}  // namespace agpt
