#include "cpp/interchange/text_match.h"

#include <algorithm>
#include <optional>
#include <set>

#include "cpp/base/error.h"
#include "cpp/corpus/split.h"
#include "cpp/corpus/token_hash.h"
#include "cpp/interchange/children_table.h"
#include "cpp/interchange/leveled_export.h"
#include "cpp/interchange/path_trie_reader.h"
#include "cpp/interchange/radix_export.h"
#include "cpp/interchange/radix_reader.h"
#include "cpp/interchange/single_file_export.h"
#include "cpp/trie/index_builder.h"

namespace agpt {
namespace {

// A folder that compares what is written with files that are there.
class ComparingFolder : public OutputFolder {
 public:
  explicit ComparingFolder(const ReferenceFiles& files) : files_(files) {}

  std::unique_ptr<OutputFile> create(const std::string& name) override {
    const auto found = files_.contents().find(name);
    if (found == files_.contents().end()) throw FormatError(files_.name_of(name) + " is missing");
    ++n_files_;
    return std::make_unique<File>(files_.name_of(name), found->second);
  }
  void require_all() const {
    if (n_files_ != files_.contents().size())
      throw FormatError(files_.name_of("") + " has files that the text does not give");
  }

 private:
  class File : public OutputFile {
   public:
    File(std::string name, std::span<const std::byte> expected) : name_(std::move(name)), rest_(expected) {}
    void write(std::span<const std::byte> bytes) override {
      const auto [mine, theirs] = std::mismatch(bytes.begin(), bytes.end(), rest_.begin(), rest_.end());
      at_ += static_cast<size_t>(mine - bytes.begin());
      if (mine != bytes.end()) fail();
      rest_ = rest_.subspan(bytes.size());
    }
    void close() override {
      if (!rest_.empty()) fail();
    }

   private:
    [[noreturn]] void fail() const {
      throw FormatError(name_ + " differs from what the text gives, at byte " + std::to_string(at_));
    }
    std::string name_;
    std::span<const std::byte> rest_;
    size_t at_ = 0;
  };

  const ReferenceFiles& files_;
  size_t n_files_ = 0;
};

// Compares files with an export; the error says where they differ.
template <class Export>
std::optional<FormatError> difference(const ReferenceFiles& files, Export write) {
  ComparingFolder folder(files);
  try {
    write(folder);
    folder.require_all();
  } catch (const FormatError& error) {
    return error;
  }
  return std::nullopt;
}

// Whether the tokens are those that the source describes, and in which direction.
bool is_reversed(const ReferenceFiles& files, const ReferenceSource& source, const Corpus& corpus) {
  const std::string name = files.name_of(files.has("") ? "" : "meta.bin");
  AGPT_REQUIRE(!corpus.has_documents(), name + " is of a running text, but the corpus has documents");
  AGPT_REQUIRE(corpus.n_tokens() == source.n_tokens && corpus.vocabulary().size() == source.vocabulary_size,
               name + " is of a text of " + std::to_string(source.n_tokens) + " tokens and a vocabulary of " +
                   std::to_string(source.vocabulary_size) + ", but the corpus has " +
                   std::to_string(corpus.n_tokens()) + " and " + std::to_string(corpus.vocabulary().size()));
  if (token_hash(corpus.tokens()) == source.token_hash) return false;
  const CorpusSplit backwards = split_corpus(corpus, 0, 0, true);
  AGPT_REQUIRE(token_hash(backwards.training.view()) == source.token_hash,
               name + " is of another text than the corpus: their hashes differ");
  return true;
}

// The weakest pruning that explains every entry without an edge, as if none of these had run into the end of the text.
void guess_pruning(const RadixTrie& trie, IndexOptions& options) {
  const auto record = [&](size_t id) { return trie.records[id - 1]; };
  const ChildrenTable children(
      trie.records.size(), [&](size_t id) { return record(id).parent(); },
      [&](size_t id) { return record(id).token(0); });
  options.prune_min_depth = trie.depth + 1;
  for (size_t id = 1; id <= trie.records.size(); ++id) {
    if (record(id).depth() == trie.depth) continue;
    std::set<Token> with_edge;
    for (const uint32_t child : children.of(id)) with_edge.insert(record(child).token(0));
    const EntriesView entries = record(id).entries();
    for (size_t i = 0; i < entries.size(); ++i) {
      if (with_edge.contains(entries[i].token)) continue;
      options.prune_min_depth = std::min(options.prune_min_depth, record(id).depth() + 1);
      options.prune_min_mass = std::max(options.prune_min_mass, Index{entries[i].count} + 1);
    }
  }
}

class RadixMatcher {
 public:
  RadixMatcher(const ReferenceFiles& files, const Corpus& corpus, int n_threads)
      : files_(files), corpus_(corpus), n_threads_(n_threads), trie_(read_radix_trie(files)) {
    options_.corpus_end = CorpusEnd::reference;
    options_.reverse = is_reversed(files, trie_.source, corpus);
  }

  TrieIndex match() {
    std::optional<TrieIndex> index = try_depth(trie_.depth);
    // A text so short that no path was cut does not show the depth, and any that cuts nothing will do.
    if (!index && corpus_.n_tokens() <= kMaxDepth) index = try_depth(static_cast<int>(corpus_.n_tokens()));
    if (!index) {
      guess_pruning(trie_, options_);
      index = try_depth(trie_.depth);
    }
    if (!index) throw first_difference_.value();
    return std::move(*index);
  }

 private:
  std::optional<TrieIndex> try_depth(int depth) {
    if (depth == 0) return std::nullopt;
    options_.depth = depth;
    TrieIndex index = build_trie_index(corpus_, options_, n_threads_);
    using enum SubtreeFiles;
    const std::vector<SubtreeFiles> levels =
        trie_.has_subtrees ? std::vector{unigram, bigram} : std::vector{SubtreeFiles::none};
    for (const BuilderOrder order : {BuilderOrder::breadth_first, BuilderOrder::first_seen})
      for (const SubtreeFiles subtrees : levels) {
        if (subtrees == bigram && (order == BuilderOrder::first_seen || index.vocabulary_size() > 255)) continue;
        const auto found = difference(
            files_, [&](OutputFolder& folder) { export_radix(index, {.order = order, .subtrees = subtrees}, folder); });
        if (!found) return index;
        if (!first_difference_) first_difference_ = found;
      }
    return std::nullopt;
  }

  const ReferenceFiles& files_;
  const Corpus& corpus_;
  const int n_threads_;
  const RadixTrie trie_;
  IndexOptions options_;
  std::optional<FormatError> first_difference_;
};

TrieIndex match_paths(const ReferenceFiles& files, const Corpus& corpus, int n_threads) {
  const PathTrie trie = read_path_trie(files);
  IndexOptions options;
  options.depth = trie.cap();
  options.reverse = is_reversed(files, trie.source, corpus);
  if (trie.max_starts >= 0)
    options.starts = {.rule = Starts::Rule::max, .count = trie.max_starts, .offset = trie.start_offset};
  TrieIndex index = build_trie_index(corpus, options, n_threads);
  const auto found = difference(files, [&](OutputFolder& folder) {
    if (trie.format == ReferenceFormat::leveled) {
      export_leveled(index, folder);
    } else {
      export_single(index, folder.create(""));
    }
  });
  if (found) throw *found;
  return index;
}

}  // namespace

TrieIndex index_of_text(const ReferenceFiles& files, const Corpus& corpus, int n_threads) {
  if (files.format() == ReferenceFormat::radix) return RadixMatcher(files, corpus, n_threads).match();
  return match_paths(files, corpus, n_threads);
}

}  // namespace agpt
