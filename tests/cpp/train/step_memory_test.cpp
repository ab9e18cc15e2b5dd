// How often a warm training step asks for memory.
#include <doctest/doctest.h>

#include <atomic>
#include <cstdlib>
#include <new>

#include "cpp/base/memory.h"
#include "cpp/train/trainer.h"
#include "tests/cpp/train/model_cases.h"
#include "tests/cpp/trie/verified_index.h"

namespace {

std::atomic<int64_t> n_allocations = 0;

}  // namespace

// Those of arrays and those that do not throw end here too.
void* operator new(size_t size) {
  ++n_allocations;
  if (void* const memory = std::malloc(size > 0 ? size : 1)) return memory;
  throw std::bad_alloc();
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, size_t) noexcept { std::free(memory); }

namespace agpt::test {
namespace {

template <class Work>
Index allocations_of(Work work) {
  const int64_t before = n_allocations;
  work();
  return n_allocations - before;
}

constexpr Index kTokens = 3000;

Corpus random_text() {
  Random random(5);
  std::vector<uint8_t> tokens;
  for (Index i = 0; i < kTokens; ++i) tokens.push_back(static_cast<uint8_t>(random.below(7)));
  return Corpus::from_tokens<uint8_t>(tokens, 7);
}

TrieIndex index_of(const Corpus& corpus) {
  IndexOptions options;
  options.depth = 12;
  return build_verified_index(corpus, options, 1);
}

/// A model of rotary or learned positions, its trainer on one thread and what they stand on.
class Training {
 public:
  Training(Position position, std::unique_ptr<StepSource> source) : config_(config_of(position)), table_(config_) {
    const std::vector<double> values = random_parameters(table_, 1);
    parameters_.assign(values.begin(), values.end());
    TrainerConfig settings;
    settings.schedule.base = 1e-3;
    settings.optimizer.clip_norm = 1;
    trainer_.emplace(config_, settings, std::move(source), make_backend<float>("cpu", model_shape(config_, table_)),
                     parameters_);
  }

  void warm_up(Index n_steps) {
    while (n_steps-- > 0) next();
  }
  /// Allocations of the next step, without those of its plan.
  Index next() {
    const Index number = n_steps_++, plan = plan_of(number), all = allocations_of([&] { trainer_->step({}); });
    return all - plan;
  }
  Index plan_of(Index step) const {
    return allocations_of([&] { trainer_->source().work(step); });
  }
  Index steps_per_pass() const { return trainer_->source().steps_per_pass(); }

 private:
  static ModelConfig config_of(Position position) {
    ModelConfig config = small_config({16, 16});
    config.position = position;
    return config;
  }

  const ModelConfig config_;
  const ParameterTable table_;
  std::vector<float> parameters_;
  std::optional<Trainer<float>> trainer_;
  Index n_steps_ = 0;
};

/// The plan of a step is one closure, StepWork::build, which knows the step.
void check_steps(Training& training, Index warm_up) {
  training.warm_up(warm_up);
  const size_t reserved = memory_reserved();
  Index taken = 0, planned = 0;
  for (Index step = 0; step < warm_up; ++step) {
    planned = std::max(planned, training.plan_of(step));
    taken += training.next();
  }
  CHECK(taken == 0);
  CHECK(planned == 1);
  CHECK(memory_reserved() == reserved);
}

TEST_CASE("a warm step over windows takes no memory but for its plan") {
  const Corpus corpus = random_text();
  for (const Position position : {Position::rope, Position::learned}) {
    WindowStepConfig steps;
    steps.context = 32;
    steps.windows = 20;
    Training training(position, make_window_source({corpus.tokens(), {}}, steps));
    check_steps(training, 10);
  }
}

TEST_CASE("a step over positions of a trie that saw a pass takes no memory but for its plan") {
  const Corpus corpus = random_text();
  const TrieIndex index = index_of(corpus);
  for (const Position position : {Position::rope, Position::learned}) {
    TrieStepConfig steps;
    steps.positions = 1024;
    Training training(position, make_trie_source(index, steps));
    check_steps(training, training.steps_per_pass());
  }
}

// A step of random paths has a forest to plan: the starts drawn, and the nodes of its batches, in vectors that grow by
// doubling.
TEST_CASE("a warm step of random paths takes no memory but for its plan, a few vectors however many it draws") {
  const Corpus corpus = random_text();
  const TrieIndex index = index_of(corpus);
  for (const Index samples : {50, 500}) {
    CAPTURE(samples);
    SampleStepConfig steps;
    steps.samples = samples;
    Training training(Position::learned, make_sample_source(index, steps));
    training.warm_up(50);
    CHECK(training.plan_of(50) <= 50);
    CHECK(training.next() == 0);
  }
}

}  // namespace
}  // namespace agpt::test
