// One source after another, by a plan that is made before training: a curriculum.
#include <algorithm>

#include "cpp/base/error.h"
#include "cpp/train/step_source.h"

namespace agpt {
namespace {

class StagedSource final : public StepSource {
 public:
  explicit StagedSource(std::vector<Stage> stages) : stages_(std::move(stages)) {
    for (const Stage& stage : stages_) first_step_.push_back(first_step_.back() + stage.n_steps);
  }

  Index steps_per_pass() const override { return last().steps_per_pass(); }
  double pass_weight() const override { return last().pass_weight(); }
  Index pass_positions() const override { return last().pass_positions(); }
  StepWork whole_pass() const override { return last().whole_pass(); }

  StepWork work(Index step) const override {
    const size_t stage = stage_of(step);
    return stages_[stage].source->work(step - first_step_[stage]);
  }

  double rate_factor(Index step) const override {
    const size_t stage = stage_of(step);
    return stages_[stage].source->rate_factor(step - first_step_[stage]);
  }

  StepPlace place(Index step) const override {
    const size_t stage = stage_of(step);
    StepPlace place = stages_[stage].source->place(step - first_step_[stage]);
    place.stage = static_cast<Index>(stage);
    return place;
  }

 private:
  size_t stage_of(Index step) const {
    const auto above = std::upper_bound(first_step_.begin(), first_step_.end() - 1, step);
    return std::min(static_cast<size_t>(above - first_step_.begin()), stages_.size()) - 1;
  }

  const StepSource& last() const { return *stages_.back().source; }

  const std::vector<Stage> stages_;
  std::vector<Index> first_step_ = {0};  // of each stage, then one more
};

}  // namespace

std::unique_ptr<StepSource> make_staged_source(std::vector<Stage> stages) {
  AGPT_REQUIRE(!stages.empty(), "a curriculum needs at least one stage");
  for (const Stage& stage : stages) AGPT_REQUIRE(stage.n_steps >= 1, "a stage needs at least one step");
  return std::make_unique<StagedSource>(std::move(stages));
}

}  // namespace agpt
