// Exported files against those of the reference builders, written out literally, byte for byte.
#include <doctest/doctest.h>

#include "cpp/interchange/leveled_export.h"
#include "cpp/interchange/radix_export.h"
#include "cpp/interchange/single_file_export.h"
#include "tests/cpp/interchange/random_cases.h"

namespace agpt {
namespace {

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

TEST_CASE("leveled directories and single files are those of their builders on random corpora, byte for byte") {
  Random random(4);
  for (int round = 0; round < 3000; ++round) {
    Case c = random_case(random);
    CAPTURE(round);
    c.options.prune_min_mass = 1;
    const Text text = c.as_read();
    const int depth = c.options.depth;
    MemoryFolder folder;
    export_leveled(c.build(), folder);
    REQUIRE(folder.files() == LeveledBuilder(text, depth).files(text, depth, c.vocabulary_size));
    export_single(c.build(), folder.create("every"));
    REQUIRE(folder.files().at("every") == SingleFileBuilder::bytes(text, depth, -1, 0, c.vocabulary_size));
    c.options.starts = {.rule = Starts::Rule::max,
                        .count = static_cast<Index>(1 + random.below(30)),
                        .offset = static_cast<Index>(random.below(40))};
    export_single(c.build(), folder.create("some"));
    REQUIRE(folder.files().at("some") ==
            SingleFileBuilder::bytes(text, depth, c.options.starts.count, c.options.starts.offset, c.vocabulary_size));
  }
}

TEST_CASE("pruning while exporting is pruning while building") {
  Random random(9);
  for (int round = 0; round < 500; ++round) {
    Case c = random_case(random);
    CAPTURE(round);
    c.options.prune_min_mass = static_cast<Index>(2 + random.below(3));
    Case unpruned = c;
    unpruned.options.prune_min_mass = 1;
    for (const BuilderOrder order : {BuilderOrder::breadth_first, BuilderOrder::first_seen}) {
      MemoryFolder folder;
      export_radix(unpruned.build(),
                   {order, SubtreeFiles::unigram, c.options.prune_min_mass, c.options.prune_min_depth}, folder);
      REQUIRE(folder.files() == exported(c.build(), order, SubtreeFiles::unigram));
    }
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
