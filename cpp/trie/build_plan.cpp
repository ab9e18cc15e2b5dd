#include "cpp/trie/build_plan.h"

#include <algorithm>
#include <ctime>

#include "cpp/trie/part_builder.h"

namespace agpt {
namespace {

constexpr size_t kStretches = 1024, kWindows = size_t{1} << 18;
constexpr double kSuffixesOfStretch = 256;
// Measured: sorting a stretch finds its suffixes in the cache, sorting a corpus does not; what a thread beyond the first
// adds; how fast columns are filled in, summed and written.
constexpr double kCacheFactor = 1.6, kThreadGain = 0.85, kSecondsOfByte = 3e-9;

// CPU-seconds of this process: what others do on the machine does not count.
double now() { return static_cast<double>(std::clock()) / CLOCKS_PER_SEC; }

// Suffixes whose windows lie in [first, last] (last excluded unless it is first): neighbours in the sorted order.
struct Stretch {
  uint64_t first, last;
  double weight = 1;                    // of the sorted order, what it stands for
  std::vector<uint32_t> suffixes = {};  // ascending

  bool contains(uint64_t window) const { return window >= first && (window < last || window == first); }
};

// What a stretch adds per suffix.
struct Density {
  double rows = 0, nodes = 0, bytes = 0;
};

class Sample {
 public:
  Sample(BuildInput& input, const IndexOptions& options)
      : input_(input),
        options_(options),
        // The first token of all documents is the same.
        bit_(options.starts.rule == Starts::Rule::documents ? input.text().token_bits() : 0),
        sorter_(input.text(), options.depth) {
    choose_stretches();
    collect_suffixes();
  }

  size_t n_suffixes() const {
    size_t n = 0;
    for (const Stretch& stretch : stretches_) n += stretch.suffixes.size();
    return n;
  }

  // CPU time that measure() sorted and built for.
  double seconds() const { return seconds_; }

  // Mean over the sorted order.
  template <class Id>
  Density measure(std::span<const Id> tokens) {
    Density sum;
    TriePartBuilder<Id> builder(tokens, input_.limits(), options_);
    TriePart<Id> part(options_.depth);
    double weight = 0;
    for (Stretch& stretch : stretches_) {
      if (stretch.suffixes.empty()) continue;
      const Density density = density_of<Id>(stretch.suffixes, builder, part);
      sum.rows += stretch.weight * density.rows;
      sum.nodes += stretch.weight * density.nodes;
      sum.bytes += stretch.weight * density.bytes;
      weight += stretch.weight;
    }
    weight = std::max(weight, 1.0);
    return {sum.rows / weight, sum.nodes / weight, sum.bytes / weight};
  }

 private:
  uint64_t window(uint32_t start) const { return input_.text().window(start, bit_); }

  void choose_stretches() {
    const StartSet& starts = input_.starts();
    const Index n = starts.size();
    if (static_cast<double>(n) <= kStretches * kSuffixesOfStretch) {  // all of them
      stretches_.push_back({0, ~uint64_t{0}});
      return;
    }
    std::vector<uint64_t> windows(kWindows);
    for (size_t i = 0; i < kWindows; ++i)
      windows[i] = window(starts[static_cast<uint32_t>(n * static_cast<Index>(i) / static_cast<Index>(kWindows))]);
    std::sort(windows.begin(), windows.end());
    constexpr size_t kStep = kWindows / kStretches;
    const auto wanted = static_cast<size_t>(kSuffixesOfStretch * kWindows / static_cast<double>(n));
    const size_t length = std::clamp<size_t>(wanted, 1, kStep - 1);
    for (size_t i = 0; i < kStretches; ++i) {
      const size_t first = i * kStep + (kStep - length) / 2;
      if (!stretches_.empty() && stretches_.back().first == windows[first])  // a window that fills several
        ++stretches_.back().weight;
      else
        stretches_.push_back({windows[first], windows[first + length]});
    }
  }

  // One scan of the text. The first bits of a window say between which stretches it can lie.
  void collect_suffixes() {
    constexpr unsigned kBits = 16;
    std::vector<uint32_t> begin((size_t{1} << kBits) + 2);  // by first bits: stretches that begin before
    for (const Stretch& stretch : stretches_) ++begin[(stretch.first >> (64 - kBits)) + 1];
    for (size_t head = 1; head < begin.size(); ++head) begin[head] += begin[head - 1];
    input_.starts().for_each(0, input_.starts().size(), [&](uint32_t start) {
      const uint64_t key = window(start), head = key >> (64 - kBits);
      const auto first = stretches_.begin() + begin[head], last = stretches_.begin() + begin[head + 1];
      const auto behind = std::upper_bound(first, last, key, [](uint64_t k, const Stretch& s) { return k < s.first; });
      if (behind != stretches_.begin() && behind[-1].contains(key)) behind[-1].suffixes.push_back(start);
    });
  }

  template <class Id>
  Density density_of(std::vector<uint32_t>& suffixes, TriePartBuilder<Id>& builder, TriePart<Id>& part) {
    const auto n = static_cast<uint32_t>(suffixes.size());
    std::vector<uint8_t> common(n);
    const double begin = now();
    sorter_.sort(suffixes.data(), common.data(), n, 0);
    common[0] = 0;
    if (input_.limits().has_documents())
      stop_at_document_ends(input_.limits(), options_.depth, suffixes.data(), common.data(), n);
    const Index first_path = std::min<Index>(options_.depth, input_.limits().n_rows(suffixes[0]));
    builder.build(suffixes.data(), common.data(), n, part);
    seconds_ += now() - begin;
    double rows = 0, at_depth = 0;
    for (const uint64_t difference : part.totals.rows)
      rows += at_depth += static_cast<double>(static_cast<int64_t>(difference));
    const PartImage image = PartImage::copy(part);
    double bytes = 0;
    for (size_t c = static_cast<size_t>(Column::parent_depth); c < kColumns; ++c)
      bytes += static_cast<double>(image.column<std::byte>(static_cast<Column>(c)).size());
    // The path to the first suffix belongs to those before it too.
    const bool is_all = stretches_.size() == 1;
    return {(rows - (is_all ? 0 : static_cast<double>(first_path))) / n, static_cast<double>(part.n_nodes()) / n,
            bytes / n};
  }

  BuildInput& input_;
  const IndexOptions& options_;
  const uint32_t bit_;
  WindowSorter sorter_;
  double seconds_ = 0;
  std::vector<Stretch> stretches_;
};

}  // namespace

BuildPlan plan_trie_index(const Corpus& corpus, const IndexOptions& options, const BuildResources& resources) {
  const CorpusSplit split = checked_split(corpus, options);
  ThreadPool pool(checked_threads(corpus.vocabulary(), options, resources.n_threads));
  const double begin = now();
  BuildInput input(split, corpus.vocabulary(), options, resources.memory, pool);
  const double packing = now() - begin;
  const BuildSchedule schedule = input.memory().schedule(input.chunks(), true);
  Sample sample(input, options);
  const Density density = split.training.view().visit([&](auto ids) { return sample.measure(ids); });
  const double n = input.starts().size();
  const double sorting = sample.seconds() * n / static_cast<double>(std::max<size_t>(1, sample.n_suffixes())) *
                         (n > kStretches * kSuffixesOfStretch ? kCacheFactor : 1);
  BuildPlan plan{};
  plan.n_tokens = split.training.size();
  plan.n_starts = input.starts().size();
  plan.n_positions = density.rows * n;
  plan.n_nodes = density.nodes * n;
  plan.index_bytes =
      static_cast<double>(sizeof(IndexHeader)) + density.bytes * n +
      static_cast<double>((split.training.size() + split.held_out.size()) * split.training.view().token_bytes()) +
      plan.n_nodes / 64 * sizeof(IndexBlock);
  plan.peak_memory_bytes = static_cast<double>(schedule.peak_bytes);
  if (!schedule.parts_in_files)  // what the parts take instead of the most that they could take
    plan.peak_memory_bytes += density.bytes * n - static_cast<double>(input.memory().part_bytes(input.starts().size()));
  plan.uses_folder = schedule.parts_in_files;
  plan.n_groups = static_cast<int>(schedule.groups.size());
  plan.seconds = packing * static_cast<double>(schedule.groups.size()) +
                 sorting / (1 + kThreadGain * (schedule.n_threads - 1)) +
                 plan.index_bytes * kSecondsOfByte * (schedule.parts_in_files ? 2 : 1);
  return plan;
}

}  // namespace agpt
