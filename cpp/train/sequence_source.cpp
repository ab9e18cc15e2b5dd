// Steps over the rows of a tree of sequences.
#include <algorithm>

#include "cpp/base/error.h"
#include "cpp/base/random.h"
#include "cpp/train/step_source.h"

namespace agpt {
namespace {

class SequenceSource final : public StepSource {
 public:
  SequenceSource(const SequenceTrie& trie, const SequenceStepConfig& config)
      : trie_(trie),
        config_(config),
        // A batch may need as many ghost rows as its first row is deep: let it have twice as many rows of its own.
        cuts_(trie.cuts(std::max<Index>(config.batch_rows, 2 * trie.depth()))),
        n_batches_(static_cast<Index>(cuts_.size()) - 1),
        n_steps_(
            std::max<Index>(1, config.positions == 0 ? 1 : (trie.n_rows() + config.positions / 2) / config.positions)) {
    n_steps_ = std::min(n_steps_, n_batches_);
  }

  Index steps_per_pass() const override { return n_steps_; }
  double pass_weight() const override { return trie_.total_weight(); }
  Index pass_positions() const override { return trie_.n_positions(); }

  StepWork work(Index step) const override {
    const Index pass = step / n_steps_, number = step % n_steps_;
    const Index first = number * n_batches_ / n_steps_, end = (number + 1) * n_batches_ / n_steps_;
    return {end - first, [this, pass, first](Index i, RowBatch& batch) { append(permuted(first + i, pass), batch); }};
  }

  StepWork whole_pass() const override {
    return {n_batches_, [this](Index i, RowBatch& batch) { append(i, batch); }};
  }

 private:
  Index permuted(Index number, Index pass) const {
    if (config_.order == StepOrder::fixed) return number;
    const uint64_t seed = mix_bits(config_.seed) ^ mix_bits(static_cast<uint64_t>(pass));
    return static_cast<Index>(Permutation(static_cast<uint64_t>(n_batches_), seed)(static_cast<uint64_t>(number)));
  }

  void append(Index i, RowBatch& batch) const {
    trie_.append(cuts_[static_cast<size_t>(i)], cuts_[static_cast<size_t>(i) + 1], batch);
  }

  const SequenceTrie& trie_;
  const SequenceStepConfig config_;
  const std::vector<Index> cuts_;
  const Index n_batches_;
  Index n_steps_;
};

}  // namespace

void SequenceStepConfig::validate() const {
  AGPT_REQUIRE(positions >= 0, "positions per step must be at least 1, or 0 for all");
  AGPT_REQUIRE(batch_rows >= 1 && batch_rows <= (1 << 24),
               "batch_rows must be from 1 to 2^24, not " + std::to_string(batch_rows));
  AGPT_REQUIRE(order != StepOrder::mass, "the order 'mass' sorts the subtrees of an index: choose shuffled or fixed");
}

std::unique_ptr<StepSource> make_sequence_source(const SequenceTrie& trie, const SequenceStepConfig& config) {
  config.validate();
  return std::make_unique<SequenceSource>(trie, config);
}

}  // namespace agpt
