// Several steps of a source as one: gradient accumulation.
#include <algorithm>

#include "cpp/base/error.h"
#include "cpp/train/step_source.h"

namespace agpt {
namespace {

// Works one after another.
StepWork joined(std::vector<StepWork> works) {
  StepWork whole;
  std::vector<Index> first = {0};  // batch of each work, then their number
  for (const StepWork& work : works) {
    for (Chunk chunk : work.chunks) {
      chunk.end_batch += first.back();
      whole.chunks.push_back(chunk);
    }
    first.push_back(first.back() + work.n_batches);
  }
  whole.n_batches = first.back();
  whole.build = [works = std::move(works), first = std::move(first)](Index number, RowBatch& batch) {
    const auto next = std::upper_bound(first.begin(), first.end() - 1, number) - first.begin();
    const auto part = static_cast<size_t>(next) - 1;
    works[part].build(number - first[part], batch);
  };
  return whole;
}

// A pass keeps its steps to itself: its last one joins what is left.
class AccumulatedSource final : public StepSource {
 public:
  AccumulatedSource(std::shared_ptr<StepSource> source, Index count) : source_(std::move(source)), count_(count) {
    AGPT_REQUIRE(count >= 1, "a step accumulates at least one step, not " + std::to_string(count));
  }

  Index steps_per_pass() const override { return (source_->steps_per_pass() + count_ - 1) / count_; }
  double pass_weight() const override { return source_->pass_weight(); }
  Index pass_positions() const override { return source_->pass_positions(); }
  StepWork whole_pass() const override { return source_->whole_pass(); }

  StepWork work(Index step) const override {
    std::vector<StepWork> works;
    for (Index inner = first_of(step); inner < end_of(step); ++inner) works.push_back(source_->work(inner));
    return joined(std::move(works));
  }

  double rate_factor(Index step) const override {
    double sum = 0;
    for (Index inner = first_of(step); inner < end_of(step); ++inner) sum += source_->rate_factor(inner);
    return sum / static_cast<double>(end_of(step) - first_of(step));
  }

  StepPlace place(Index step) const override {
    StepPlace place = StepSource::place(step);
    for (Index inner = first_of(step); inner < end_of(step); ++inner)
      for (std::vector<Token>& path : source_->place(inner).unit_paths) place.unit_paths.push_back(std::move(path));
    return place;
  }

 private:
  Index first_of(Index step) const {
    return step / steps_per_pass() * source_->steps_per_pass() + step % steps_per_pass() * count_;
  }
  Index end_of(Index step) const {
    return std::min(first_of(step) + count_, (step / steps_per_pass() + 1) * source_->steps_per_pass());
  }

  const std::shared_ptr<StepSource> source_;
  const Index count_;
};

}  // namespace

std::unique_ptr<StepSource> make_accumulated_source(std::shared_ptr<StepSource> source, Index count) {
  return std::make_unique<AccumulatedSource>(std::move(source), count);
}

}  // namespace agpt
