// Steps over random parts of a trie.
#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <mutex>
#include <optional>

#include "cpp/base/error.h"
#include "cpp/rows/trie_rows.h"
#include "cpp/train/drawn_paths.h"
#include "cpp/train/range_batches.h"
#include "cpp/train/step_source.h"

namespace agpt {
namespace {

// Counts every row once, whatever its weight.
const Weighting kOne = {MassWeight::off, 0, 1};

class SampleSource final : public StepSource {
 public:
  SampleSource(const TrieIndex& index, const SampleStepConfig& config)
      : index_(index), config_(config), sampler_(index, config.rule), all_(index) {
    SampleChances chances(sampler_, SampleChances::Use::multiply, 1);
    const double rows_per_sample = total_weight(all_, kOne, &chances);  // in the mean
    n_samples_ = config.samples;
    if (n_samples_ == 0)
      n_samples_ = std::max<Index>(1, std::llround(static_cast<double>(config.positions) / rows_per_sample));
    const double rows_per_step = rows_per_sample * static_cast<double>(n_samples_);
    n_steps_ = std::max<Index>(1, std::llround(static_cast<double>(index.n_positions()) / rows_per_step));
    if (config.rule.sampler == Sampler::path) path_batch_rows_ = rows_of_path_batches();
  }

  Index steps_per_pass() const override { return n_steps_; }
  Index pass_positions() const override { return index_.n_positions(); }

  double pass_weight() const override {
    if (config_.corrected) return total_weight(all_, config_.weighting);
    SampleChances chances(sampler_, SampleChances::Use::multiply, draws_per_pass());
    return total_weight(all_, config_.weighting, &chances);
  }

  StepWork work(Index step) const override {
    Random random(mix_bits(mix_bits(config_.seed) + static_cast<uint64_t>(step)));
    if (config_.rule.sampler == Sampler::path) return paths(random);
    std::vector<TrieSample> samples;
    for (Index i = 0; i < n_samples_; ++i) samples.push_back(sampler_.draw(random));
    return subtrees(samples);
  }

  StepWork whole_pass() const override {
    const auto batches =
        std::make_shared<RangeBatches>(std::vector<RowRange>{{&all_, 0, all_.n_rows()}}, config_.batch_rows);
    return {batches->size(), [this, batches](Index i, RowBatch& batch) {
              std::optional<SampleChances> factors;
              if (!config_.corrected) factors.emplace(sampler_, SampleChances::Use::multiply, draws_per_pass());
              batches->for_each_slice(i, [&](const RangeBatches::Slice& slice) {
                append_trie_rows(all_, slice.range.begin, slice.range.end, config_.weighting, batch, kAnyMass,
                                 factors ? &*factors : nullptr);
              });
            }};
  }

 private:
  double draws_per_pass() const { return static_cast<double>(n_steps_ * n_samples_); }

  // Paths fill an even number of batches alike, so that two threads have the same to do. Merged paths are fewer rows than
  // drawn ones, and nearly as many in every step as in one.
  Index rows_of_path_batches() const {
    constexpr double kRoom = 1.05;  // for steps that have more, and what is computed on both sides of a cut
    Random random(mix_bits(config_.seed));
    const DrawnPaths uncut(index_, sampler_.draw_starts(random, n_samples_), std::numeric_limits<Index>::max(), {});
    const Index rows = uncut.n_rows(), full = (rows + config_.batch_rows - 1) / config_.batch_rows;
    if (full <= 1) return config_.batch_rows;
    const double share = static_cast<double>(rows) / static_cast<double>(full + full % 2);
    return std::min(config_.batch_rows, static_cast<Index>(std::ceil(kRoom * share)));
  }

  StepWork paths(Random& random) const {
    std::optional<double> scale;
    if (config_.corrected) scale = static_cast<double>(sampler_.n_starts()) / draws_per_pass();
    const auto forest =
        std::make_shared<const DrawnPaths>(index_, sampler_.draw_starts(random, n_samples_), path_batch_rows_, scale);
    return {forest->n_batches(),
            [this, forest](Index i, RowBatch& batch) { forest->append(i, config_.weighting, batch); }};
  }

  StepWork subtrees(const std::vector<TrieSample>& samples) const {
    std::vector<RowRange> ranges;
    for (const TrieSample& sample : samples) {
      const RowSelection& rows = down_to(sample.max_depth);
      ranges.push_back({&rows, rows.rows_before(sample.node), rows.rows_before(index_.subtree_end(sample.node))});
    }
    const auto batches = std::make_shared<RangeBatches>(ranges, config_.batch_rows);
    return {batches->size(), [this, samples, ranges, batches](Index i, RowBatch& batch) {
              SampleChances chances(sampler_, SampleChances::Use::divide, 1 / draws_per_pass());
              SampleChances* const used = config_.corrected ? &chances : nullptr;
              batches->for_each_slice(i, [&](const RangeBatches::Slice& slice) {
                const auto& [range, number] = slice;
                if (range.begin == ranges[number].begin)
                  append_path_rows(index_, sampler_.passed_nodes(samples[number]), config_.weighting, batch, used);
                append_trie_rows(*range.rows, range.begin, range.end, config_.weighting, batch, kAnyMass, used);
              });
            }};
  }

  // The rows down to a depth. At most depth() selections are ever made; they stay where they are.
  const RowSelection& down_to(int depth) const {
    if (depth >= index_.depth()) return all_;
    const std::lock_guard lock(mutex_);
    const auto known = selections_.find(depth);
    if (known != selections_.end()) return known->second;
    RowChoice choice;
    choice.max_depth = depth;
    return selections_.try_emplace(depth, index_, choice).first->second;
  }

  const TrieIndex& index_;
  const SampleStepConfig config_;
  const TrieSampler sampler_;
  const RowSelection all_;
  Index n_samples_ = 1;  // of a step
  Index n_steps_ = 1;
  Index path_batch_rows_ = 0;  // at most
  mutable std::mutex mutex_;
  mutable std::map<int, RowSelection> selections_;
};

}  // namespace

void SampleStepConfig::validate() const {
  rule.validate();
  AGPT_REQUIRE(samples >= 0 && positions >= 1, "a step needs at least one sample, or one position");
  AGPT_REQUIRE(batch_rows >= 1, "batch_rows must be at least 1");
}

std::unique_ptr<StepSource> make_sample_source(const TrieIndex& index, const SampleStepConfig& config) {
  config.validate();
  return std::make_unique<SampleSource>(index, config);
}

}  // namespace agpt
