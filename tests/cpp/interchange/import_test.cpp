// Reference files become indexes: what comes back out is what went in, and the trie is that of the text.
#include "cpp/interchange/reference_import.h"

#include <doctest/doctest.h>

#include "cpp/base/error.h"
#include "cpp/interchange/imported_verify.h"
#include "cpp/interchange/leveled_export.h"
#include "cpp/interchange/single_file_export.h"
#include "cpp/interchange/text_match.h"
#include "cpp/trie/trie_walk.h"
#include "tests/cpp/interchange/random_cases.h"

namespace agpt {
namespace {

// An endpoint as it can be compared between indexes of different texts.
struct Endpoint {
  int parent_depth, depth;
  Text path;
  uint32_t first_mass, mass;
  std::vector<TokenCount> targets;
  bool operator==(const Endpoint&) const = default;
};

std::vector<Endpoint> endpoints_of(const TrieIndex& index) {
  std::vector<Endpoint> endpoints;
  TrieWalk walk(index, 0);
  for (TrieEdge edge; walk.next(edge);) {
    const std::span<const TokenCount> targets = walk.targets();
    Endpoint endpoint{edge.parent_depth,
                      edge.depth,
                      {},
                      walk.row_mass(edge.parent_depth + 1),
                      edge.mass,
                      {targets.begin(), targets.end()}};
    for (int k = 0; k < edge.depth; ++k) endpoint.path.push_back(index.token(edge.text + k));
    endpoints.push_back(endpoint);
  }
  return endpoints;
}

TrieIndex import(const Files& files) { return import_reference(files_in_memory(files)); }

bool is_empty(const std::vector<ReferenceRecord>& records) { return records.empty(); }

TEST_CASE("a radix directory of builder A comes back byte for byte, and its trie is that of the text") {
  Random random(5);
  for (int round = 0; round < 1000; ++round) {
    Case c = random_case(random);
    CAPTURE(round);
    c.options.corpus_end = CorpusEnd::reference;
    const Text text = c.as_read();
    const auto records = builder_a(LeveledBuilder(text, c.options.depth), c.options.depth, c.pruning(), false);
    if (is_empty(records)) continue;
    const Files files = radix_files(records, text, c.vocabulary_size, true);
    const TrieIndex imported = import(files);
    REQUIRE(exported(imported, BuilderOrder::breadth_first, SubtreeFiles::unigram) == files);
    REQUIRE(verify_imported_index(imported) == std::vector<std::string>{});
    REQUIRE(endpoints_of(imported) == endpoints_of(c.build()));
    REQUIRE(imported.token_hash() == c.build().token_hash());
  }
}

TEST_CASE("a leveled directory comes back byte for byte, and its trie is that of the text to the last row") {
  Random random(6);
  for (int round = 0; round < 1000; ++round) {
    Case c = random_case(random);
    CAPTURE(round);
    c.options.corpus_end = CorpusEnd::exact;
    c.options.prune_min_mass = 1;
    const Text text = c.as_read();
    const Files files = LeveledBuilder(text, c.options.depth).files(text, c.options.depth, c.vocabulary_size);
    const TrieIndex imported = import(files);
    MemoryFolder folder;
    export_leveled(imported, folder);
    REQUIRE(folder.files() == files);
    const TrieIndex built = c.build();
    REQUIRE(verify_imported_index(imported) == std::vector<std::string>{});
    REQUIRE(endpoints_of(imported) == endpoints_of(built));
    REQUIRE(imported.total_mass() == built.total_mass());
    REQUIRE(imported.n_starts() == built.n_starts());
    REQUIRE(exported(imported, BuilderOrder::breadth_first, SubtreeFiles::none) ==
            exported(built, BuilderOrder::breadth_first, SubtreeFiles::none));
  }
}

TEST_CASE("a single file of some starts gives the trie of these starts") {
  Random random(7);
  for (int round = 0; round < 1000; ++round) {
    Case c = random_case(random);
    CAPTURE(round);
    c.options.corpus_end = CorpusEnd::exact;
    c.options.prune_min_mass = 1;
    const auto count = static_cast<Index>(1 + random.below(30));
    const auto offset = static_cast<Index>(random.below(40));
    c.options.starts = {.rule = Starts::Rule::max, .count = count, .offset = offset};
    const TrieIndex imported =
        import({{"", SingleFileBuilder::bytes(c.as_read(), c.options.depth, count, offset, c.vocabulary_size)}});
    REQUIRE(verify_imported_index(imported) == std::vector<std::string>{});
    REQUIRE(endpoints_of(imported) == endpoints_of(c.build()));
    REQUIRE(imported.n_starts() == c.build().n_starts());
  }
}

TEST_CASE("a radix directory of builder B gives the same endpoints, and masses that count the end of the text") {
  Random random(8);
  for (int round = 0; round < 1000; ++round) {
    Case c = random_case(random);
    CAPTURE(round);
    c.options.corpus_end = CorpusEnd::reference;
    c.options.prune_min_mass = 1;
    const Text text = c.as_read();
    const auto records = builder_b(text, c.options.depth, c.pruning());
    if (is_empty(records)) continue;
    const TrieIndex imported = import(radix_files(records, text, c.vocabulary_size, true));
    REQUIRE(verify_imported_index(imported) == std::vector<std::string>{});
    std::vector<Endpoint> here = endpoints_of(imported), there = endpoints_of(c.build());
    REQUIRE(here.size() == there.size());
    for (size_t i = 0; i < here.size(); ++i) {
      const auto more = here[i].first_mass - there[i].first_mass;
      REQUIRE(more <= 1);
      here[i].first_mass = there[i].first_mass;
    }
    REQUIRE(here == there);
  }
}

TEST_CASE("with the text an import finds direction, order, subtrees and pruning, and proves every byte") {
  Random random(10);
  for (int round = 0; round < 1000; ++round) {
    Case c = random_case(random);
    CAPTURE(round);
    const Text text = c.as_read();
    const int depth = c.options.depth;
    const Corpus corpus = Corpus::from_tokens(std::span<const Token>(c.text), c.vocabulary_size);
    const LeveledBuilder leveled(text, depth);
    const auto bigrams = builder_a(leveled, depth, {}, true);
    const auto b = builder_b(text, depth, {});
    for (Files files : {radix_files(builder_a(leveled, depth, {}, false), text, c.vocabulary_size, false),
                        radix_files(bigrams, text, c.vocabulary_size, true),
                        radix_files(b, text, c.vocabulary_size, true), leveled.files(text, depth, c.vocabulary_size),
                        Files{{"", SingleFileBuilder::bytes(text, depth, 7, 4, c.vocabulary_size)}}}) {
      const TrieIndex index = index_of_text(files_in_memory(files), corpus);
      REQUIRE(index.has_text());
      REQUIRE(index.token_hash() == static_cast<uint64_t>(hash_of(text)));
      const auto file = std::next(files.begin(), static_cast<std::ptrdiff_t>(random.below(files.size())));
      const size_t at = random.below(file->second.size());
      // The largest depth, starts and offset that were asked for may be others with the same trie.
      const bool is_request = at >= 8 && at < 20 && (file->first.empty() || file->first == "meta.bin");
      if (is_request) continue;
      file->second[at] = static_cast<char>(file->second[at] ^ 64);  // more than the builders differ by
      REQUIRE_THROWS_AS(index_of_text(files_in_memory(files), corpus), Error);
    }
  }
}

TEST_CASE("a pruned directory is recognised with its text") {
  Text text;
  Random random(11);
  for (int i = 0; i < 3000; ++i) text.push_back(static_cast<Token>(random.below(4)));
  const Corpus corpus = Corpus::from_tokens(std::span<const Token>(text), 4);
  for (const Pruning pruning : {Pruning{2, 4}, Pruning{5, 3}}) {
    const Files files = radix_files(builder_b(text, 8, pruning), text, 4, true);
    const TrieIndex index = index_of_text(files_in_memory(files), corpus);
    CHECK(index.options().prune_min_mass == pruning.min_mass);
    CHECK(index.options().prune_min_depth >= pruning.min_depth);  // where the first edge was dropped
  }
}

TEST_CASE("what an imported index cannot know is refused in one sentence") {
  const Text text{0, 1, 0, 2, 0, 2, 1};
  const LeveledBuilder leveled(text, 3);
  const TrieIndex radix = import(radix_files(builder_a(leveled, 3, {}, false), text, 3, false));
  MemoryFolder folder;
  CHECK_THROWS_AS(export_radix(radix, {.order = BuilderOrder::first_seen}, folder), ArgumentError);
  CHECK_THROWS_AS(export_leveled(radix, folder), ArgumentError);
  CHECK_THROWS_AS(export_single(radix, folder.create("single")), ArgumentError);
  CHECK_FALSE(radix.has_text());
  CHECK(radix.options().starts.to_string() == "imported");
  CHECK_THROWS_AS(Starts::parse("imported"), ArgumentError);
}

TEST_CASE("an inconsistent or too deep trie is not imported") {
  const Text text{0, 1, 0, 2, 0, 2, 1};
  LeveledBuilder leveled(text, 3);
  leveled.nodes[9].entries[2] = 2;
  CHECK_THROWS_WITH_AS(import(leveled.files(text, 3, 3)), doctest::Contains("its entries sum to 2"), FormatError);
  CHECK_THROWS_WITH_AS(import(LeveledBuilder(text, 3).files(text, 254, 3)), doctest::Contains("depth 254"),
                       FormatError);
  CHECK_THROWS_WITH_AS(import(radix_files({}, text, 3, false)), doctest::Contains("nothing to import"), FormatError);
}

}  // namespace
}  // namespace agpt
