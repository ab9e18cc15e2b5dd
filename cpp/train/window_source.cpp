// Steps over windows of text: the same rows, nothing shared.
#include <algorithm>
#include <optional>

#include "cpp/base/error.h"
#include "cpp/base/random.h"
#include "cpp/rows/trie_windows.h"
#include "cpp/rows/window_rows.h"
#include "cpp/train/step_source.h"

namespace agpt {
namespace {

class WindowSource final : public StepSource {
 public:
  WindowSource(TextView text, const WindowStepConfig& config)
      : text_(std::move(text)), config_(config), stride_(config.stride > 0 ? config.stride : config.context) {
    config.validate();
    if (has_documents()) {
      AGPT_REQUIRE(!text_.document_starts.empty(), "there is no document to train on");
    } else {
      AGPT_REQUIRE(text_.n_tokens() > config.context,
                   "the training text has " + std::to_string(text_.n_tokens()) + " tokens, but a window needs " +
                       std::to_string(config.context + 1) + ": choose a smaller --context");
    }
    if (config.targets) {
      AGPT_REQUIRE(config.targets->n_tokens() == text_.n_tokens(), "the index with the targets is of another text");
      trie_windows_.emplace(*config.targets, config.blend);
    }
    for (const Index number : config_.list)
      AGPT_REQUIRE(number >= 0 && number < n_windows(), "the list has window " + std::to_string(number) +
                                                            ", but there are only the windows from 0 to " +
                                                            std::to_string(n_windows() - 1));
    windows_per_batch_ = std::max<Index>(1, config.batch_rows / config.context);
  }

  Index steps_per_pass() const override { return (windows_of_pass() + config_.windows - 1) / config_.windows; }

  StepWork work(Index step) const override {
    const Index number = step % steps_per_pass();
    const Index first = number * config_.windows;
    const Index count = config_.order == WindowStepConfig::Order::random
                            ? config_.windows
                            : std::min(config_.windows, windows_of_pass() - first);
    return batches(count, [this, step, first](Index i) { return window(step, first, i); });
  }

  StepWork whole_pass() const override {
    return batches(windows_of_pass(), [this](Index i) { return listed(i); });
  }

  double pass_weight() const override { return static_cast<double>(pass_positions()); }

  Index pass_positions() const override {
    if (!has_documents()) return windows_of_pass() * config_.context;
    Index sum = 0;
    for (Index i = 0; i < windows_of_pass(); ++i) sum += window_end(listed(i)) - window_begin(listed(i)) - 1;
    return sum;
  }

 private:
  bool has_documents() const { return !text_.document_starts.empty(); }

  Index n_windows() const {
    if (has_documents()) return static_cast<Index>(text_.document_starts.size());
    if (config_.order == WindowStepConfig::Order::random) return (text_.n_tokens() - 1) / config_.context;
    return (text_.n_tokens() - 1 - config_.context) / stride_ + 1;
  }

  bool has_list() const { return config_.order == WindowStepConfig::Order::listed; }
  Index windows_of_pass() const { return has_list() ? static_cast<Index>(config_.list.size()) : n_windows(); }
  Index listed(Index i) const { return has_list() ? config_.list[static_cast<size_t>(i)] : i; }

  Index window_begin(Index w) const {
    return has_documents() ? text_.document_starts[static_cast<size_t>(w)] : w * stride_;
  }
  Index window_end(Index w) const {
    Index end = text_.n_tokens();
    if (has_documents() && w + 1 < n_windows()) end = text_.document_starts[static_cast<size_t>(w) + 1];
    return std::min(end, window_begin(w) + config_.context + 1);
  }

  // First token of window i of a step, as a window number, or for random starts as -1 - token.
  Index window(Index step, Index first, Index i) const {
    const Index pass = step / steps_per_pass();
    if (config_.order == WindowStepConfig::Order::sequential || has_list()) return listed(first + i);
    if (config_.order == WindowStepConfig::Order::shuffled) {
      const uint64_t seed = mix_bits(config_.seed) ^ mix_bits(static_cast<uint64_t>(pass));
      return static_cast<Index>(
          Permutation(static_cast<uint64_t>(n_windows()), seed)(static_cast<uint64_t>(first + i)));
    }
    Random random(mix_bits(mix_bits(config_.seed) + static_cast<uint64_t>(step)) + static_cast<uint64_t>(i));
    if (has_documents()) return static_cast<Index>(random.below(static_cast<uint64_t>(n_windows())));
    return -1 - static_cast<Index>(random.below(static_cast<uint64_t>(text_.n_tokens() - config_.context)));
  }

  // Windows are dealt evenly to an even number of batches, so that two threads have the same to do.
  template <class WindowOf>
  StepWork batches(Index count, WindowOf window_of) const {
    const Index full = (count + windows_per_batch_ - 1) / windows_per_batch_;
    const Index n_batches = full > 1 ? std::min(count, full + full % 2) : full;
    return {n_batches, [this, count, n_batches, window_of](Index number, RowBatch& batch) {
              const Index end = (number + 1) * count / n_batches;
              for (Index i = number * count / n_batches; i < end; ++i) {
                const Index w = window_of(i);
                if (w < 0) {
                  append(-1 - w, config_.context, batch);
                } else {
                  append(window_begin(w), window_end(w) - window_begin(w) - 1, batch);
                }
              }
            }};
  }

  void append(Index begin, Index n_rows, RowBatch& batch) const {
    if (trie_windows_) return trie_windows_->append(begin, n_rows, batch);
    append_window_rows([this, begin](Index i) { return text_.tokens[begin + i]; }, n_rows, batch);
  }

  const TextView text_;
  const WindowStepConfig config_;
  const Index stride_;
  std::optional<TrieWindows> trie_windows_;
  Index windows_per_batch_ = 1;
};

}  // namespace

void WindowStepConfig::validate() const {
  AGPT_REQUIRE(context >= 1, "the context must be at least 1");
  AGPT_REQUIRE(windows >= 1, "a step needs at least one window");
  AGPT_REQUIRE(stride >= 0, "the stride must be at least 0 (0: the context)");
  AGPT_REQUIRE(batch_rows >= 1, "batch_rows must be at least 1");
  AGPT_REQUIRE((order == Order::listed) != list.empty(), "the order 'listed' and a list of windows go together");
}

std::unique_ptr<StepSource> make_window_source(TextView text, const WindowStepConfig& config) {
  return std::make_unique<WindowSource>(std::move(text), config);
}

}  // namespace agpt
