#include "cpp/trie/index_builder.h"

#include <memory>
#include <optional>

#include "cpp/base/checksum.h"
#include "cpp/corpus/token_hash.h"
#include "cpp/trie/build_input.h"
#include "cpp/trie/index_assembly.h"
#include "cpp/trie/part_builder.h"
#include "cpp/trie/part_folder.h"

namespace agpt {
namespace {

constexpr double kPackedAt = 0.03, kSortedAt = 0.9;  // of the work, when these stages end

// One build, from the corpus to all parts.
class IndexBuild {
 public:
  IndexBuild(const CorpusSplit& split, const Vocabulary& vocabulary, const IndexOptions& options,
             const BuildResources& resources)
      : split_(split),
        vocabulary_(vocabulary),
        options_(options),
        resources_(resources),
        pool_(std::make_unique<ThreadPool>(checked_threads(vocabulary, options, resources.n_threads))) {}

  ByteImage to_memory() {
    ByteImage image;
    with_assembly("", [&](auto& assembly) { image = assembly.to_memory(progress_of("writing", kSortedAt, 1)); });
    return image;
  }

  void to_file(const std::string& path) {
    with_assembly(path + ".build", [&](auto& assembly) {
      assembly.to_file(path, folder_ ? folder_->unfinished_path() : path, progress_of("writing", kSortedAt, 1));
    });
    if (folder_) folder_->remove();
    report(1, "writing");
  }

 private:
  void report(double fraction, const std::string& stage) const {
    if (resources_.progress) resources_.progress(fraction, stage);
  }
  // Progress of a stage as progress of the build.
  std::function<void(double)> progress_of(const std::string& stage, double begin, double end) const {
    return [=, this](double fraction) { report(begin + (end - begin) * fraction, stage); };
  }

  // Calls use(assembly) when all parts are there. folder_path: where they may wait; empty: nowhere.
  template <class Use>
  void with_assembly(const std::string& folder_path, Use use) {
    split_.training.view().visit([&]<class Id>(std::span<const Id> ids) {
      IndexSource source{split_, vocabulary_, options_, 0, 0};
      std::vector<PartImage> parts = all_parts(ids, folder_path, source);
      IndexAssembly<Id> assembly(source, std::move(parts), *pool_);
      use(assembly);
    });
  }

  // Completes `source` too.
  template <class Id>
  std::vector<PartImage> all_parts(std::span<const Id> ids, const std::string& folder_path, IndexSource& source) {
    report(0, "packing");
    BuildInput input(split_, vocabulary_, options_, resources_.memory, *pool_);
    source.n_starts = input.starts().size();
    source.token_hash = token_hash(split_.training.view());
    const BuildSchedule schedule = input.memory().schedule(input.chunks(), !folder_path.empty());
    if (schedule.n_threads < pool_->size()) pool_ = std::make_unique<ThreadPool>(schedule.n_threads);
    if (schedule.parts_in_files) open_folder(folder_path, source.token_hash);
    const size_t thread_bytes = input.memory().thread_bytes(input.chunks().largest());
    const MemoryReservation scratch(static_cast<size_t>(pool_->size()) * thread_bytes, "the index builder");
    return build_parts(PartBuilder<Id>(ids, options_, input, *pool_), schedule, source.n_starts);
  }

  template <class Id>
  std::vector<PartImage> build_parts(PartBuilder<Id> builder, const BuildSchedule& schedule, Index n_starts) {
    std::vector<PartImage> parts;
    Index n_done = 0;
    for (const ChunkGroup& group : schedule.groups) {
      const auto report_group = [&](Index n_in_group) {
        report(kPackedAt +
                   (kSortedAt - kPackedAt) * static_cast<double>(n_done + n_in_group) / static_cast<double>(n_starts),
               "sorting");
      };
      report_group(0);
      std::vector<PartImage> built = parts_of(builder, group, report_group);
      for (const PartImage& part : built) n_done += part.n_suffixes();
      std::move(built.begin(), built.end(), std::back_inserter(parts));
    }
    return builder.with_shared_tokens(std::move(parts));
  }

  // The parts of a group: in memory, or in a file that was written before or is written now.
  template <class Id>
  std::vector<PartImage> parts_of(PartBuilder<Id>& builder, ChunkGroup group,
                                  const std::function<void(Index)>& report) {
    if (!folder_) return builder.build(group.first, group.last, report);
    if (!folder_->contains(group.first, group.last))
      folder_->save(group.first, group.last, builder.build(group.first, group.last, report));
    return folder_->load(group.first, group.last);
  }

  void open_folder(const std::string& path, uint64_t token_hash) {
    folder_.emplace(path, build_key(token_hash));
    const int n_discarded = folder_->discard_foreign();
    if (n_discarded > 0 && resources_.remark)
      resources_.remark("discarded " + std::to_string(n_discarded) + " parts of another build in '" + path + "'");
  }

  // A checksum of everything that decides what the parts are.
  uint64_t build_key(uint64_t token_hash) const {
    const uint64_t facts[] = {kIndexVersion,
                              PartImage::kVersion,
                              token_hash,
                              static_cast<uint64_t>(split_.training.size()),
                              static_cast<uint64_t>(split_.training.view().token_bytes()),
                              vocabulary_.boundary() ? uint64_t{*vocabulary_.boundary()} : kNoBoundary,
                              static_cast<uint64_t>(options_.depth),
                              static_cast<uint64_t>(options_.starts.rule),
                              static_cast<uint64_t>(options_.starts.stride),
                              static_cast<uint64_t>(options_.starts.count),
                              static_cast<uint64_t>(options_.starts.offset),
                              static_cast<uint64_t>(options_.corpus_end),
                              static_cast<uint64_t>(options_.prune_min_mass),
                              static_cast<uint64_t>(options_.prune_min_depth)};
    return checksum(std::as_bytes(std::span(facts)));
  }

  const CorpusSplit& split_;
  const Vocabulary& vocabulary_;
  const IndexOptions& options_;
  const BuildResources& resources_;
  std::unique_ptr<ThreadPool> pool_;
  std::optional<PartFolder> folder_;
};

}  // namespace

TrieIndex build_trie_index(const Corpus& corpus, const IndexOptions& options, int n_threads,
                           const BuildProgress& progress) {
  return build_trie_index(checked_split(corpus, options), corpus.vocabulary(), options, n_threads, progress);
}

TrieIndex build_trie_index(const CorpusSplit& split, const Vocabulary& vocabulary, const IndexOptions& options,
                           int n_threads, const BuildProgress& progress) {
  const BuildResources resources{.n_threads = n_threads, .progress = progress};
  ByteImage image = IndexBuild(split, vocabulary, options, resources).to_memory();
  if (progress) progress(1, "writing");
  return TrieIndex(std::move(image), "the index");
}

void build_trie_index_file(const std::string& path, const Corpus& corpus, const IndexOptions& options,
                           const BuildResources& resources) {
  const CorpusSplit split = checked_split(corpus, options);
  IndexBuild(split, corpus.vocabulary(), options, resources).to_file(path);
}

}  // namespace agpt
