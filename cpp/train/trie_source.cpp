// Steps over the rows of a trie.
#include <algorithm>
#include <mutex>
#include <numeric>
#include <optional>

#include "cpp/base/error.h"
#include "cpp/base/random.h"
#include "cpp/rows/trie_rows.h"
#include "cpp/train/heavy_rows.h"
#include "cpp/train/range_batches.h"
#include "cpp/train/step_source.h"
#include "cpp/trie/trie_partition.h"

namespace agpt {
namespace {

using Unit = TrieStepConfig::Unit;

/// The selected rows of one pass in batches.
struct Pass {
  Pass(Index pass, RowSelection selection, Index batch_rows)
      : number(pass), rows(std::move(selection)), batches({{&rows, 0, rows.n_rows()}}, batch_rows) {}
  Pass(const Pass&) = delete;  // the batches point to the rows
  Pass& operator=(const Pass&) = delete;

  const Index number;
  const RowSelection rows;
  const RangeBatches batches;
};

class TrieSource final : public StepSource {
 public:
  TrieSource(const TrieIndex& index, const TrieStepConfig& config)
      : index_(index), config_(config), pass_(make_pass(0)) {
    AGPT_REQUIRE(index.n_positions() > 0, "the index has no positions to train on");
    expected_rows_ = expected_rows();
    AGPT_REQUIRE(expected_rows_ > 0, "no position is left to train on: choose other tails, or a greater depth");
    if (has_units()) find_units();
    if (has_units())
      rates_ = StepRates(unit_rates(expectation(), unit_begin_, config.unit_rate), config.units_per_step);
    n_steps_ = count_steps();
    const double mean_mass = total_weight(expectation(), {}) / static_cast<double>(expected_rows_);
    if (config.unit == Unit::positions && config.spread_heavy && n_steps_ > 1)
      heavy_.emplace(index, config.rows.max_depth, mean_mass, config.weighting, n_steps_, config.batch_rows,
                     config.seed);
  }

  Index steps_per_pass() const override { return n_steps_; }

  StepWork work(Index step) const override {
    const Index number = step % n_steps_;
    const std::shared_ptr<const Pass> pass = pass_of(step / n_steps_);
    switch (config_.unit) {
      case Unit::whole:
        return whole(pass);
      case Unit::ngram:
      case Unit::balanced:
        return unit_work(pass, number);
      case Unit::positions:
        break;
    }
    return positions_work(pass, number);
  }

  StepWork whole_pass() const override { return whole(pass_of(0)); }
  double pass_weight() const override { return total_weight(expectation(), config_.weighting); }
  Index pass_positions() const override { return expected_rows_; }

  double rate_factor(Index step) const override {
    if (config_.unit_rate == UnitRate::none) return 1;
    const Index pass = step / n_steps_;
    return rates_.of_step(units_of(pass, step % n_steps_), units_of(pass, n_steps_ - 1));
  }

  StepPlace place(Index step) const override {
    StepPlace place = StepSource::place(step);
    if (!has_units()) return place;
    for (const size_t unit : units_of(place.pass, place.part)) place.unit_paths.push_back(shared_path(unit));
    return place;
  }

 private:
  std::shared_ptr<const Pass> make_pass(Index number) const {
    const uint64_t draw = mix_bits(config_.seed) + static_cast<uint64_t>(number);
    return std::make_shared<Pass>(number, RowSelection(index_, config_.rows, draw), config_.batch_rows);
  }

  // The rows that the mean over many passes is about.
  RowSelection expectation() const {
    RowChoice choice = config_.rows;
    if (choice.tails == Tails::sampled) choice.tails = Tails::full;
    return RowSelection(index_, choice);
  }

  Index expected_rows() const {
    if (config_.rows.tails != Tails::sampled) return pass_->rows.n_rows();
    RowChoice core = config_.rows;
    core.tails = Tails::none;
    const auto n_core = static_cast<double>(RowSelection(index_, core).n_rows());
    const auto n_full = static_cast<double>(expectation().n_rows());
    return std::max<Index>(1, std::llround(n_core + config_.rows.tail_rate * (n_full - n_core)));
  }

  // Passes differ in the tails that they draw. One is kept: steps come in order.
  std::shared_ptr<const Pass> pass_of(Index number) const {
    if (config_.rows.tails != Tails::sampled) return pass_;
    const std::lock_guard lock(mutex_);
    if (pass_->number != number) pass_ = make_pass(number);
    return pass_;
  }

  Index count_steps() const {
    if (config_.unit == Unit::whole) return 1;
    if (has_units()) return (n_units() + config_.units_per_step - 1) / config_.units_per_step;
    const Index n_batches = (expected_rows_ + config_.batch_rows - 1) / config_.batch_rows;
    const Index per_step = std::max<Index>(1, (config_.positions + config_.batch_rows / 2) / config_.batch_rows);
    return (n_batches + per_step - 1) / per_step;
  }

  void find_units() {
    const bool is_balanced = config_.unit == Unit::balanced;
    unit_begin_ = partition_nodes(
        index_, {.ngram = is_balanced ? 1 : config_.ngram, .largest = is_balanced ? config_.positions : 0});
    drop_empty_units();
    if (config_.order == StepOrder::mass) sort_units_by_mass();
  }

  // Other tails than full, and a greatest depth, leave units without rows: a step of those would have no loss.
  void drop_empty_units() {
    const RowSelection rows = expectation();
    if (rows.is_everything()) return;
    std::vector<Index> kept;
    for (size_t unit = 0; unit + 1 < unit_begin_.size(); ++unit)
      if (rows.rows_before(unit_begin_[unit]) < rows.rows_before(unit_begin_[unit + 1]))
        kept.push_back(unit_begin_[unit]);
    kept.push_back(unit_begin_.back());
    unit_begin_ = std::move(kept);
  }

  void sort_units_by_mass() {
    std::vector<double> mass(static_cast<size_t>(n_units()));
    for (size_t unit = 0; unit < mass.size(); ++unit)
      for (Index node = unit_begin_[unit]; node < unit_begin_[unit + 1];) {
        mass[unit] += index_.row_mass(node, index_.parent_depth(node) + 1);
        node = index_.depth(node) < config_.ngram ? node + 1 : index_.subtree_end(node);
      }
    by_mass_.resize(mass.size());
    std::iota(by_mass_.begin(), by_mass_.end(), size_t{0});
    std::stable_sort(by_mass_.begin(), by_mass_.end(), [&](size_t a, size_t b) { return mass[a] > mass[b]; });
  }

  bool has_units() const { return config_.unit == Unit::ngram || config_.unit == Unit::balanced; }
  Index n_units() const { return static_cast<Index>(unit_begin_.size()) - 1; }

  Index permuted(Index number, Index n, Index pass) const {
    if (config_.order == StepOrder::fixed) return number;
    if (config_.order == StepOrder::mass) return static_cast<Index>(by_mass_[static_cast<size_t>(number)]);
    const uint64_t seed = mix_bits(config_.seed) ^ mix_bits(static_cast<uint64_t>(pass));
    return static_cast<Index>(Permutation(static_cast<uint64_t>(n), seed)(static_cast<uint64_t>(number)));
  }

  // The batches of a pass are dealt evenly to its steps.
  StepWork positions_work(const std::shared_ptr<const Pass>& pass, Index number) const {
    const Index n = pass->batches.size();
    const Index first = number * n / n_steps_, n_light = (number + 1) * n / n_steps_ - first;
    return {n_light + (heavy_ ? heavy_->n_batches(pass->number, number) : 0),
            [this, pass, first, n, number, n_light](Index i, RowBatch& batch) {
              if (i < n_light)
                append(pass->batches, permuted(first + i, n, pass->number), batch, heavy_ ? heavy_->mass() : kAnyMass);
              else
                heavy_->append(pass->number, number, i - n_light, batch);
            }};
  }

  std::vector<size_t> units_of(Index pass, Index number) const {
    const Index first = number * config_.units_per_step, end = std::min(n_units(), first + config_.units_per_step);
    std::vector<size_t> units;
    for (Index i = first; i < end; ++i) units.push_back(static_cast<size_t>(permuted(i, n_units(), pass)));
    return units;
  }

  // What the paths of a unit begin with, apart from the shorter paths that were added to it.
  std::vector<Token> shared_path(size_t unit) const {
    const int length = config_.unit == Unit::ngram ? config_.ngram : 1;
    Index node = unit_begin_[unit];
    while (node + 1 < unit_begin_[unit + 1] && index_.depth(node) < length) ++node;
    std::vector<Token> path;
    for (int k = 0; k < std::min(length, index_.depth(node)); ++k)
      path.push_back(index_.tokens()[index_.text(node) + k]);
    return path;
  }

  StepWork unit_work(const std::shared_ptr<const Pass>& pass, Index number) const {
    std::vector<RowRange> units;
    for (const size_t unit : units_of(pass->number, number))
      units.push_back(
          {&pass->rows, pass->rows.rows_before(unit_begin_[unit]), pass->rows.rows_before(unit_begin_[unit + 1])});
    const auto batches = std::make_shared<RangeBatches>(std::move(units), config_.batch_rows);
    return {batches->size(), [this, pass, batches](Index i, RowBatch& batch) { append(*batches, i, batch, kAnyMass); }};
  }

  StepWork whole(const std::shared_ptr<const Pass>& pass) const {
    return {pass->batches.size(),
            [this, pass](Index i, RowBatch& batch) { append(pass->batches, i, batch, kAnyMass); }};
  }

  void append(const RangeBatches& batches, Index i, RowBatch& batch, Index most_mass) const {
    batches.for_each_slice(i, [&](const RangeBatches::Slice& slice) {
      append_trie_rows(*slice.range.rows, slice.range.begin, slice.range.end, config_.weighting, batch, most_mass);
    });
  }

  const TrieIndex& index_;
  const TrieStepConfig config_;
  mutable std::mutex mutex_;
  mutable std::shared_ptr<const Pass> pass_;
  Index expected_rows_ = 0;
  // First node of each unit, then n_nodes. Nodes without selected rows may lie before the first and at the end of any.
  std::vector<Index> unit_begin_;
  std::vector<size_t> by_mass_;  // units, heaviest first
  StepRates rates_{{}, 1};
  Index n_steps_ = 1;
  std::optional<HeavyRows> heavy_;
};

}  // namespace

void TrieStepConfig::validate() const {
  AGPT_REQUIRE(ngram >= 1, "a partition by n-grams needs n of at least 1");
  AGPT_REQUIRE(units_per_step >= 1, "a step needs at least one unit");
  AGPT_REQUIRE(positions >= 1, "positions per step must be at least 1");
  AGPT_REQUIRE(batch_rows >= 1 && batch_rows <= (1 << 24),
               "batch_rows must be from 1 to 2^24, not " + std::to_string(batch_rows));
  AGPT_REQUIRE(order != StepOrder::mass || unit == Unit::ngram,
               "the order 'mass' sorts subtrees: choose a unit that is one, such as root-child or bigram");
  AGPT_REQUIRE(unit_rate == UnitRate::none || unit == Unit::ngram || unit == Unit::balanced,
               "unit_lr gives units rates of their own, but these steps are not made of units: choose the unit "
               "root-child, bigram, ngram or balanced");
  weighting.validate();
  rows.validate();
}

std::unique_ptr<StepSource> make_trie_source(const TrieIndex& index, const TrieStepConfig& config) {
  config.validate();
  return std::make_unique<TrieSource>(index, config);
}

}  // namespace agpt
