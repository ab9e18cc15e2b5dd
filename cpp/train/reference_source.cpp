// Steps with the truncated gradient and the chunk normalisation of the reference trainer.
#include <cmath>

#include "cpp/base/error.h"
#include "cpp/base/random.h"
#include "cpp/rows/trie_rows.h"
#include "cpp/train/reference_chunks.h"
#include "cpp/train/step_source.h"

namespace agpt {
namespace {

// Weighs rows by a factor of their node alone.
class NodeFactors final : public RowFactors {
 public:
  explicit NodeFactors(const std::vector<double>& by_node) : by_node_(by_node) {}
  void enter(const TrieEdge& edge) override { factor_ = by_node_[static_cast<size_t>(edge.node)]; }
  double of_row(int) const override { return factor_; }

 private:
  const std::vector<double>& by_node_;
  double factor_ = 1;
};

// The gradient stops at the ends of edges, so an edge needs nothing of others but the forward pass of its ancestors: these are
// ghost rows, and the batches hold edges of which none lies on the path to another.
class ReferenceSource final : public StepSource {
 public:
  ReferenceSource(const TrieIndex& index, const ReferenceStepConfig& config)
      : index_(index), config_(config), chunks_(index, config.chunk_positions, config.batch_rows) {
    AGPT_REQUIRE(index.n_positions() > 0, "the index has no positions to train on");
    if (!config.chunk_means) return;
    factors_ = relative_masses(index, chunks_, config.weighting);
    row_weighting_.mass = MassWeight::off;  // it is in the factors
  }

  Index steps_per_pass() const override { return config_.whole ? 1 : chunks_.n_groups(); }
  Index pass_positions() const override { return index_.n_positions(); }

  double pass_weight() const override {
    const RowSelection all(index_);
    NodeFactors factors(factors_);
    return total_weight(all, row_weighting_, factors_.empty() ? nullptr : &factors);
  }

  StepWork work(Index step) const override {
    if (config_.whole) return whole_pass();
    const Index group = group_of(step);
    return chunks_work(chunks_.first_chunk(group), chunks_.first_chunk(group + 1));
  }

  StepWork whole_pass() const override { return chunks_work(0, chunks_.n_chunks()); }

  StepPlace place(Index step) const override {
    StepPlace place = StepSource::place(step);
    if (config_.whole) return place;
    const Index first = chunks_.nodes(chunks_.first_batch(chunks_.first_chunk(group_of(step)))).front();
    place.unit_paths = {{index_.tokens()[index_.text(first)]}};
    return place;
  }

 private:
  Index group_of(Index step) const {
    const Index n = chunks_.n_groups(), number = step % n;
    if (config_.order == StepOrder::fixed) return number;
    const uint64_t seed = mix_bits(config_.seed) ^ mix_bits(static_cast<uint64_t>(step / n));
    return static_cast<Index>(Permutation(static_cast<uint64_t>(n), seed)(static_cast<uint64_t>(number)));
  }

  StepWork chunks_work(Index begin, Index end) const {
    const Index first = chunks_.first_batch(begin);
    StepWork work = {chunks_.first_batch(end) - first,
                     [this, first](Index i, RowBatch& batch) { append(first + i, batch); }};
    if (!config_.chunk_means) return work;
    for (Index chunk = begin; chunk < end; ++chunk)
      work.chunks.push_back({chunks_.first_batch(chunk + 1) - first, scored_positions(chunk)});
    return work;
  }

  // Rows that weigh anything.
  Index scored_positions(Index chunk) const {
    Index positions = 0;
    for (const Index node : chunks_.chunk_nodes(chunk))
      positions += row_weighting_.intermediate > 0 ? index_.depth(node) - index_.parent_depth(node) : 1;
    return positions;
  }

  void append(Index number, RowBatch& batch) const {
    const std::span<const Index> nodes = chunks_.nodes(number);
    std::vector<double> factors;
    if (!factors_.empty())
      for (const Index node : nodes) factors.push_back(factors_[static_cast<size_t>(node)]);
    append_edge_rows(index_, nodes, factors, row_weighting_, batch);
    batch.ghosts_are_constant = config_.truncated;
  }

  const TrieIndex& index_;
  const ReferenceStepConfig config_;
  const ReferenceChunks chunks_;
  Weighting row_weighting_ = config_.weighting;
  std::vector<double> factors_;  // by node; empty without chunk means
};

}  // namespace

void ReferenceStepConfig::validate() const {
  AGPT_REQUIRE(order != StepOrder::mass, "the reference gradient has the orders fixed and shuffled, not mass");
  AGPT_REQUIRE(batch_rows >= 1 && batch_rows <= (1 << 24),
               "batch_rows must be from 1 to 2^24, not " + std::to_string(batch_rows));
  weighting.validate();
}

std::unique_ptr<StepSource> make_reference_source(const TrieIndex& index, const ReferenceStepConfig& config) {
  config.validate();
  return std::make_unique<ReferenceSource>(index, config);
}

}  // namespace agpt
