// Exported files against those of the reference builders, written out literally, byte for byte.
#include <doctest/doctest.h>

#include "cpp/base/error.h"
#include "cpp/base/random.h"
#include "cpp/interchange/radix_export.h"
#include "cpp/trie/index_builder.h"
#include "tests/cpp/interchange/reference_builders.h"

namespace agpt {
namespace {

struct Case {
  Text text;
  Index vocabulary_size;
  IndexOptions options;

  Text as_read() const { return options.reverse ? Text(text.rbegin(), text.rend()) : text; }
  TrieIndex build() const {
    return build_trie_index(Corpus::from_tokens(std::span<const Token>(text), vocabulary_size), options);
  }
  Pruning pruning() const { return {options.prune_min_mass, options.prune_min_depth}; }
};

Case random_case(Random& random) {
  Case c;
  const auto n = static_cast<size_t>(2 + random.below(random.below(4) == 0 ? 120 : 24));
  c.vocabulary_size = static_cast<Index>(1 + random.below(4));
  for (size_t i = 0; i < n; ++i)
    c.text.push_back(static_cast<Token>(random.below(static_cast<uint64_t>(c.vocabulary_size))));
  if (random.below(8) == 0)  // periodic
    for (size_t i = 3; i < n; ++i) c.text[i] = c.text[i - 3];
  c.vocabulary_size += static_cast<Index>(random.below(2));  // an id that does not occur
  c.options.depth = static_cast<int>(1 + random.below(9));
  c.options.reverse = random.below(3) == 0;
  if (random.below(3) == 0) {
    c.options.prune_min_mass = static_cast<Index>(1 + random.below(3));
    c.options.prune_min_depth = static_cast<int>(1 + random.below(4));
  }
  c.options.corpus_end = random.below(2) == 0 ? CorpusEnd::reference : CorpusEnd::exact;
  return c;
}

Files exported(const TrieIndex& index, BuilderOrder order, SubtreeFiles subtrees) {
  MemoryFolder folder;
  export_radix(index, {order, subtrees}, folder);
  return folder.files();
}

TEST_CASE("radix directories are those of both builders on random corpora, byte for byte") {
  Random random(1);
  for (int round = 0; round < 3000; ++round) {
    const Case c = random_case(random);
    CAPTURE(round);
    const TrieIndex index = c.build();
    const Text text = c.as_read();
    const LeveledBuilder leveled(text, c.options.depth);
    const auto a = builder_a(leveled, c.options.depth, c.pruning(), false);
    const auto bigrams = builder_a(leveled, c.options.depth, c.pruning(), true);
    const auto b = builder_b(text, c.options.depth, c.pruning());
    REQUIRE(exported(index, BuilderOrder::breadth_first, SubtreeFiles::none) ==
            radix_files(a, text, c.vocabulary_size, false));
    REQUIRE(exported(index, BuilderOrder::breadth_first, SubtreeFiles::unigram) ==
            radix_files(a, text, c.vocabulary_size, true));
    REQUIRE(exported(index, BuilderOrder::breadth_first, SubtreeFiles::bigram) ==
            radix_files(bigrams, text, c.vocabulary_size, true));
    REQUIRE(exported(index, BuilderOrder::first_seen, SubtreeFiles::none) ==
            radix_files(b, text, c.vocabulary_size, false));
    REQUIRE(exported(index, BuilderOrder::first_seen, SubtreeFiles::unigram) ==
            radix_files(b, text, c.vocabulary_size, true));
  }
}

const Text kGolden{0, 1, 0, 2, 0, 2, 1};  // ABACACB

Files files_of(const std::vector<ReferenceRecord>& records) { return radix_files(records, kGolden, 3, false); }

TEST_CASE("the radix records of ABACACB are those of the published example, in both orders") {
  const TrieIndex index = Case{kGolden, 3, {.depth = 3}}.build();
  const std::vector<ReferenceRecord> a{
      {1, 0, 1, {0}, 3, {{1, 1}, {2, 2}}, 0}, {2, 0, 1, {1, 0, 2}, 1, {{0, 1}}, 0},
      {3, 0, 1, {2}, 2, {{0, 1}, {1, 1}}, 0}, {4, 1, 2, {1, 0}, 1, {{2, 1}}, 0},
      {5, 1, 2, {2}, 2, {{0, 1}, {1, 1}}, 0}, {6, 3, 2, {0, 2}, 1, {{1, 1}}, 0},
      {7, 5, 3, {0}, 1, {{2, 1}}, 0},
  };
  const std::vector<ReferenceRecord> b{
      {1, 0, 1, {0}, 3, {{2, 2}, {1, 1}}, 0}, {2, 1, 2, {2}, 2, {{1, 1}, {0, 1}}, 0},
      {3, 1, 2, {1, 0}, 1, {{2, 1}}, 0},      {4, 2, 3, {0}, 1, {{2, 1}}, 0},
      {5, 0, 1, {1, 0, 2}, 2, {{0, 1}}, 0},   {6, 0, 1, {2}, 2, {{1, 1}, {0, 1}}, 0},
      {7, 6, 2, {0, 2}, 1, {{1, 1}}, 0},
  };
  CHECK(exported(index, BuilderOrder::breadth_first, SubtreeFiles::none) == files_of(a));
  CHECK(exported(index, BuilderOrder::first_seen, SubtreeFiles::none) == files_of(b));
  const RadixTotals totals = [&] {
    MemoryFolder folder;
    return export_radix(index, {}, folder);
  }();
  CHECK(totals.n_records == 7);
  CHECK(totals.edge_tokens == 11);
}

}  // namespace
}  // namespace agpt
