// Fuzzes the index file: whatever opens can be walked, asked, profiled, verified and built again.
#include "cpp/base/error.h"
#include "cpp/base/random.h"
#include "cpp/interchange/imported_verify.h"
#include "cpp/interchange/leveled_export.h"
#include "cpp/interchange/reference_import.h"
#include "cpp/trie/continuation_sampler.h"
#include "cpp/trie/path_occurrences.h"
#include "cpp/trie/trie_partition.h"
#include "cpp/trie/trie_profile.h"
#include "cpp/trie/trie_queries.h"
#include "cpp/trie/trie_verify.h"
#include "cpp/trie/trie_walk.h"
#include "tests/cpp/interchange/reference_builders.h"
#include "tests/cpp/trie/index_bytes.h"
#include "tests/cpp/trie/sample_indexes.h"
#include "tests/fuzz/fuzz_target.h"

namespace agpt {
namespace {

void walk_all(const TrieIndex& index) {
  TrieWalk walk(index, 0);
  for (TrieEdge edge; walk.next(edge);) {
    for (const TokenCount& target : walk.targets())
      AGPT_REQUIRE(target.token < index.vocabulary_size(), "a target is outside the vocabulary");
    walk.row_mass(edge.parent_depth + 1);
    index.token(edge.text + edge.depth - 1);
  }
}

void visit_all(const TrieIndex& index) {
  std::vector<TokenCount> targets;
  for (Index node = 0; node < index.n_nodes(); ++node) {
    index.targets(node, targets);
    index.row_mass(node, index.depth(node));
    index.node_of_row(index.first_row(node));
    parent_of(index, node);
    children_of(index, node);
  }
}

void ask(const TrieIndex& index, Random& random) {
  PathBatch paths;
  for (int i = 0; i < 8; ++i) {
    const Index begin = static_cast<Index>(random.below(static_cast<uint64_t>(index.n_tokens())));
    const Index length = static_cast<Index>(random.below(static_cast<uint64_t>(index.depth()) + 2));
    for (Index at = begin; at < std::min(begin + length, index.n_tokens()); ++at)
      paths.tokens.push_back(index.token(at));
    if (i % 2 == 1 && !paths.tokens.empty())
      paths.tokens.back() = static_cast<Token>(random.below(static_cast<uint64_t>(index.vocabulary_size())));
    paths.begin.push_back(paths.tokens.size());
  }
  count_paths(index, paths);
  match_paths(index, paths);
  next_counts_of_paths(index, paths);
  for (size_t i = 0; i < paths.size(); ++i) find_occurrences(index, paths[i], -1);
  SampleOptions options;
  options.n_tokens = 5;
  sample_continuations(index, paths, options);
}

void use(const std::string& input) {
  const TrieIndex index = read_index(input);
  Random random(input.size());
  walk_all(index);
  visit_all(index);
  profile_trie_index(index);
  measure_partition(index, partition_nodes(index, PartitionRule::parse("bigram")));
  const bool is_right = verify_trie_index(index).empty();
  if (!index.has_text()) {
    verify_imported_index(index);
  } else if (is_right && !verify_by_rebuilding(index, 1).empty()) {
    throw std::logic_error("verification accepts an index that cannot be built");
  }
  ask(index, random);
}

}  // namespace

FuzzTarget index_target() {
  FuzzTarget target{.name = "index", .seeds = {}, .run = use, .header_bytes = sizeof(IndexHeader)};
  for (const SampleIndex& sample : make_sample_indexes()) target.seeds.push_back(bytes_of(sample.index));
  const TrieIndex index = build_trie_index(sample_corpora::running(80, 3), {.depth = 4}, 1);
  MemoryFolder folder;
  export_leveled(index, folder);
  ReferenceFiles::Contents files;
  for (const auto& [name, content] : folder.files()) files[name] = std::as_bytes(std::span(content));
  target.seeds.push_back(bytes_of(import_reference({"the folder", files})));
  target.repair = [](std::string input) {
    return input.size() < sizeof(IndexHeader) ? input : with_right_checksums(std::move(input));
  };
  return target;
}

}  // namespace agpt
