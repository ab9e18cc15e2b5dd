// What one optimizer step covers. A source is a pure function of the step number: resuming needs nothing but that
// number.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "cpp/corpus/token_view.h"
#include "cpp/rows/row_batch.h"
#include "cpp/rows/row_selection.h"
#include "cpp/rows/sequence_trie.h"
#include "cpp/rows/weighting.h"
#include "cpp/train/trie_sampler.h"
#include "cpp/train/unit_rates.h"

namespace agpt {

/// Consecutive batches of a step that are normalised by themselves (cpp/train/chunk_means.h).
struct Chunk {
  Index end_batch = 0;  ///< its batches end before this one; they begin where those of the chunk before end
  Index positions = 0;  ///< what its gradient is divided by
};

/// The batches of one step. build(i, batch) fills the empty `batch` with rows (without tiles); it may be called from
/// any thread.
struct StepWork {
  Index n_batches = 0;
  std::function<void(Index number, RowBatch& batch)> build = {};
  std::vector<Chunk> chunks = {};  ///< all batches, in order; empty where the step is normalised as one
};

/// Where a step stands, for people and logs; all numbers from 0.
struct StepPlace {
  Index stage = 0;                             ///< of a curriculum
  Index pass = 0;                              ///< over the data, within the stage
  Index part = 0;                              ///< the step's number within its pass
  std::vector<std::vector<Token>> unit_paths;  ///< what the paths of each unit share; empty where steps have no units
};

class StepSource {
 public:
  virtual ~StepSource() = default;
  virtual Index steps_per_pass() const = 0;
  /// step >= 0 counts over all passes.
  virtual StepWork work(Index step) const = 0;
  /// All of one pass, as one work.
  virtual StepWork whole_pass() const = 0;
  /// Sum of the weights of all positions of one pass.
  virtual double pass_weight() const = 0;
  /// Positions of one pass.
  virtual Index pass_positions() const = 0;
  /// What the learning rate of the step is multiplied by; over a pass its mean is 1.
  virtual double rate_factor(Index) const { return 1; }
  virtual StepPlace place(Index step) const {
    return {.pass = step / steps_per_pass(), .part = step % steps_per_pass(), .unit_paths = {}};
  }
};

enum class StepOrder {
  fixed,     ///< pre-order
  shuffled,  ///< the steps of a pass in random order; for `positions`, its batches
  mass,      ///< heaviest unit first
};

/// Which rows of a trie make one step.
struct TrieStepConfig {
  enum class Unit {
    whole,      ///< the whole trie
    ngram,      ///< the rows below one path of `ngram` tokens: 1 is one root child, 2 one bigram
    balanced,   ///< neighbouring subtrees below one root child, at most `positions` rows (cpp/trie/trie_partition.h)
    positions,  ///< about `positions` rows
  };
  Unit unit = Unit::positions;
  int ngram = 1;
  Index units_per_step = 1;  ///< units of a step, for `ngram` and `balanced`
  Index positions = 16384;
  UnitRate unit_rate = UnitRate::none;  ///< for `ngram` and `balanced`
  StepOrder order = StepOrder::shuffled;
  uint64_t seed = 0;
  /// With `positions`: a row that weighs much more than others is in many steps of a pass, each time with an equal part
  /// of its weight. A pass is still the exact sum, but no row outweighs its step.
  bool spread_heavy = false;
  /// Rows of a batch, ghosts excluded. The gradient of a step does not depend on it, but for `positions` it is the
  /// grain of the shuffling.
  Index batch_rows = 256;
  Weighting weighting;
  RowChoice rows;

  void validate() const;
};

/// The index must outlive the source.
std::unique_ptr<StepSource> make_trie_source(const TrieIndex& index, const TrieStepConfig& config);

/// Steps with the gradient of the reference trainer, which is not that of the loss: docs/reference_gradient.md.
struct ReferenceStepConfig {
  bool whole = false;  ///< one step a pass; otherwise one step for each root child
  /// The edges below a root child, by the depth of their endpoints, are cut into chunks of at most this many rows.
  Index chunk_positions = 50000;
  /// Keys and values of rows above the own edge are constants.
  bool truncated = true;
  /// Weights are relative to their chunk, and each chunk is normalised by itself.
  bool chunk_means = true;
  StepOrder order = StepOrder::fixed;  ///< fixed or shuffled
  uint64_t seed = 0;
  Index batch_rows = 256;
  Weighting weighting;

  void validate() const;
};

/// The index must outlive the source.
std::unique_ptr<StepSource> make_reference_source(const TrieIndex& index, const ReferenceStepConfig& config);

/// Random parts of a trie in place of all of it.
struct SampleStepConfig {
  SamplerRule rule;
  Index samples = 0;       ///< draws of a step; 0: as many as hold `positions` rows, in the mean
  Index positions = 2048;  ///< of a step, where `samples` is 0
  /// Rows weigh as much as makes the expected gradient the exact one; otherwise what the weighting says, so that rows
  /// count as often as they are drawn.
  bool corrected = true;
  Weighting weighting;
  uint64_t seed = 0;
  Index batch_rows = 256;

  void validate() const;
};

/// A pass has as many steps as compute, in the mean, as many positions as the trie has. The ancestors of a drawn subtree
/// are context alone. The index must outlive the source.
std::unique_ptr<StepSource> make_sample_source(const TrieIndex& index, const SampleStepConfig& config);

/// The shared core of a trie, exactly, and windows of the text for what lies below and beyond it.
struct HybridStepConfig {
  TrieStepConfig core;  ///< steps over the rows of mass above 1
  Index context = 128;  ///< tokens of a window; at least the depth of the index
  Index windows = 16;   ///< windows of a step, drawn uniformly from all starts

  void validate() const;
};

/// The expected gradient of a pass is that of all windows of `context` tokens, whatever the shares of the two. The index
/// must have all starts of a running text, and must outlive the source.
std::unique_ptr<StepSource> make_hybrid_source(const TrieIndex& index, const HybridStepConfig& config);

/// `n_steps` steps of a source; the last stage of a curriculum never ends.
struct Stage {
  Index n_steps;
  std::shared_ptr<StepSource> source;
};

/// Stages one after another, each from its own first step. A pass is one of the last stage.
std::unique_ptr<StepSource> make_staged_source(std::vector<Stage> stages);

/// Steps of `count` steps of a source, within its passes: gradient accumulation. Such a step is normalised as one, so it
/// has the gradient of a step that covers what all of them cover.
std::unique_ptr<StepSource> make_accumulated_source(std::shared_ptr<StepSource> source, Index count);

/// Which rows of a tree of sequences make one step.
struct SequenceStepConfig {
  Index positions = 2048;  ///< about as many rows; 0: all
  StepOrder order = StepOrder::shuffled;
  uint64_t seed = 0;
  Index batch_rows = 256;  ///< about; sequences longer than half of it make batches of twice their length

  void validate() const;
};

/// The trie must outlive the source.
std::unique_ptr<StepSource> make_sequence_source(const SequenceTrie& trie, const SequenceStepConfig& config);

/// A text and where documents begin in it (nowhere: one running text). The tokens belong to someone else.
struct TextView {
  TokenView tokens;
  std::vector<Index> document_starts;  // ascending; the last document ends with the text

  Index n_tokens() const { return tokens.size(); }
};

struct WindowStepConfig {
  enum class Order { random, sequential, shuffled, listed };
  Index context = 128;
  Index windows = 64;  ///< Windows of one step.
  Index stride = 0;    ///< Between the starts of neighbouring windows; 0 is the context.
  /// random: starts drawn uniformly, stride unused; shuffled: each window of a pass once; listed: a pass is `list`.
  Order order = Order::random;
  std::vector<Index> list;  ///< Numbers of windows in text order, from 0.
  uint64_t seed = 0;
  Index batch_rows = 256;
  /// The index of the text, which then gives the targets (cpp/rows/trie_windows.h); it must outlive the source.
  const TrieIndex* targets = nullptr;
  std::shared_ptr<const TargetBlend> blend = nullptr;  ///< of those targets, where given

  void validate() const;
};

/// Windows of context + 1 tokens: every position predicts its successor. With documents, a window is the first
/// context + 1 tokens of a document.
std::unique_ptr<StepSource> make_window_source(TextView text, const WindowStepConfig& config);

}  // namespace agpt
