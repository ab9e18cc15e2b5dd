// Steps that train the shared core of a trie exactly, and what lies below and beyond it on windows of the text.
//
// The loss of all windows of length L is a sum over starts i and context lengths k = 1 .. L. Let m_i be the number of
// the k whose path another start shares, as far as the trie goes. The terms k <= m_i are the rows of mass above 1: the
// trie gives their sum. The terms k > m_i come from windows drawn at random, whose first m_i rows are context alone. With
// n starts, S steps a pass and w windows a step, each window weighs n / (S w), and the expected gradient of a pass is
// that of all windows of length L.
#include "cpp/base/error.h"
#include "cpp/base/random.h"
#include "cpp/rows/trie_rows.h"
#include "cpp/rows/window_rows.h"
#include "cpp/train/step_source.h"

namespace agpt {
namespace {

/// (n_tokens) How many rows on the path from each start another start shares.
std::vector<uint8_t> shared_rows_of_starts(const TrieIndex& index) {
  // Starts that no leaf of mass 1 tells of share all their rows.
  std::vector<uint8_t> shared(static_cast<size_t>(index.n_tokens()), static_cast<uint8_t>(index.depth()));
  const RowSelection all(index);
  SelectionWalk walk(all, 0);
  for (SelectedEdge edge; walk.next(edge);)
    if (edge.mass == 1) shared[static_cast<size_t>(edge.text)] = static_cast<uint8_t>(edge.tail_depth - 1);
  return shared;
}

TrieStepConfig core_of(TrieStepConfig config) {
  config.rows.tails = Tails::none;
  return config;
}

class HybridSource final : public StepSource {
 public:
  HybridSource(const TrieIndex& index, const HybridStepConfig& config)
      : index_(index),
        config_(config),
        core_(make_trie_source(index, core_of(config.core))),
        shared_(shared_rows_of_starts(index)) {}

  Index steps_per_pass() const override { return core_->steps_per_pass(); }

  StepWork work(Index step) const override {
    const double weight = static_cast<double>(n_starts()) / static_cast<double>(steps_per_pass() * config_.windows);
    const uint64_t seed = mix_bits(mix_bits(config_.core.seed) + static_cast<uint64_t>(step));
    return joined(core_->work(step), config_.windows, [this, seed, weight](Index i, RowBatch& batch) {
      Random random(seed + static_cast<uint64_t>(i));
      append_window(static_cast<Index>(random.below(static_cast<uint64_t>(n_starts()))), weight, batch);
    });
  }

  StepWork whole_pass() const override {
    return joined(core_->whole_pass(), n_starts(), [this](Index i, RowBatch& batch) { append_window(i, 1, batch); });
  }

  double pass_weight() const override {
    double rows = 0;
    for (Index start = 0; start < n_starts(); ++start)
      rows += static_cast<double>(std::max<Index>(0, window_rows(start) - shared_[static_cast<size_t>(start)]));
    return core_->pass_weight() + config_.core.weighting.of_mass(1) * rows;
  }

  Index pass_positions() const override {
    return core_->pass_positions() + steps_per_pass() * config_.windows * config_.context;
  }

 private:
  Index n_starts() const { return index_.n_tokens() - 1; }
  Index window_rows(Index start) const { return std::min(config_.context, n_starts() - start); }

  void append_window(Index start, double weight, RowBatch& batch) const {
    append_window_rows([this, start](Index i) { return index_.token(start + i); }, window_rows(start), batch,
                       shared_[static_cast<size_t>(start)], weight * config_.core.weighting.of_mass(1));
  }

  // The batches of the core, then those of `n` windows.
  template <class Append>
  StepWork joined(StepWork core, Index n, Append append) const {
    const Index per_batch = std::max<Index>(1, config_.core.batch_rows / config_.context);
    const Index n_core = core.n_batches;
    return {n_core + (n + per_batch - 1) / per_batch,
            [core = std::move(core), n_core, n, per_batch, append](Index i, RowBatch& batch) {
              if (i < n_core) return core.build(i, batch);
              const Index first = (i - n_core) * per_batch;
              for (Index window = first; window < std::min(n, first + per_batch); ++window) append(window, batch);
            }};
  }

  const TrieIndex& index_;
  const HybridStepConfig config_;
  const std::unique_ptr<StepSource> core_;
  const std::vector<uint8_t> shared_;
};

}  // namespace

void HybridStepConfig::validate() const {
  AGPT_REQUIRE(context >= 1, "the context must be at least 1");
  AGPT_REQUIRE(windows >= 1, "a step needs at least one window");
}

std::unique_ptr<StepSource> make_hybrid_source(const TrieIndex& index, const HybridStepConfig& config) {
  config.validate();
  const IndexOptions& options = index.options();
  AGPT_REQUIRE(options.starts.rule == Starts::Rule::every && !index.has_documents(),
               "hybrid steps need an index of all starts of a running text, but this one has the starts '" +
                   options.starts.to_string() + "'");
  AGPT_REQUIRE(options.prune_min_mass <= 1 && options.corpus_end == CorpusEnd::exact,
               "hybrid steps need a whole index: build it without pruning, and with the exact end of the corpus");
  AGPT_REQUIRE(config.context >= index.depth(),
               "windows of " + std::to_string(config.context) + " tokens are shorter than the index is deep, " +
                   std::to_string(index.depth()) + ": choose a larger context or build a shallower index");
  return std::make_unique<HybridSource>(index, config);
}

}  // namespace agpt
