// Reading and verifying the files of the reference builders: good ones, faulty ones, and any bytes at all.
#include <doctest/doctest.h>

#include "cpp/base/error.h"
#include "cpp/interchange/reference_import.h"
#include "cpp/interchange/reference_verify.h"
#include "tests/cpp/interchange/random_cases.h"

namespace agpt {
namespace {

using Sentences = std::vector<std::string>;

Sentences violations_of(const ReferenceFiles& files) {
  return files.format() == ReferenceFormat::radix ? verify_radix_trie(read_radix_trie(files))
                                                  : verify_path_trie(read_path_trie(files));
}
Sentences violations_of(const Files& files) { return violations_of(files_in_memory(files)); }

// The files of all formats of one case.
std::vector<Files> all_formats(const Case& c) {
  const Text text = c.as_read();
  const LeveledBuilder leveled(text, c.options.depth);
  const auto radix = [&](const std::vector<ReferenceRecord>& records, bool per_subtree) {
    return radix_files(records, text, c.vocabulary_size, per_subtree);
  };
  const int depth = c.options.depth;
  return {radix(builder_a(leveled, depth, c.pruning(), false), false),
          radix(builder_a(leveled, depth, c.pruning(), true), true),
          radix(builder_b(text, depth, c.pruning()), true),
          leveled.files(text, depth, c.vocabulary_size),
          {{"", SingleFileBuilder::bytes(text, depth, -1, 0, c.vocabulary_size)}},
          {{"", SingleFileBuilder::bytes(text, depth, 5, 3, c.vocabulary_size)}}};
}

TEST_CASE("what the reference builders write is read in full and found consistent") {
  Random random(2);
  for (int round = 0; round < 500; ++round) {
    CAPTURE(round);
    for (const Files& files : all_formats(random_case(random))) REQUIRE(violations_of(files) == Sentences{});
  }
}

TEST_CASE("truncated, flipped and hostile bytes are refused, found inconsistent or imported, and never more") {
  Random random(3);
  int n_refused = 0, n_violated = 0;
  for (int round = 0; round < 4000; ++round) {
    std::vector<Files> formats = all_formats(random_case(random));
    Files& files = formats[random.below(formats.size())];
    auto file = files.begin();
    std::advance(file, static_cast<std::ptrdiff_t>(random.below(files.size())));
    std::string& bytes = file->second;
    const size_t at = random.below(bytes.size());
    switch (random.below(4)) {
      case 0:
        bytes.resize(at);
        break;
      case 1:
        bytes[at] = static_cast<char>(bytes[at] ^ (1 << random.below(8)));
        break;
      case 2:  // a large number
        for (size_t i = at / 4 * 4; i < std::min(bytes.size(), at / 4 * 4 + 4); ++i) bytes[i] = '\x7f';
        break;
      default:
        files.erase(file);
    }
    try {
      n_violated += !violations_of(files).empty();
      import_reference(files_in_memory(files));
    } catch (const FormatError&) {
      ++n_refused;
    }
  }
  CHECK(n_refused > 2000);
  CHECK(n_violated > 200);
}

std::vector<ReferenceRecord> golden_records() {
  return builder_a(LeveledBuilder({0, 1, 0, 2, 0, 2, 1}, 3), 3, {}, false);
}

// The first violation of the records of ABACACB (see export_test) after a change.
template <class Change>
std::string violation_after(Change change) {
  std::vector<ReferenceRecord> records = golden_records();
  change(records);
  const Sentences found = violations_of(radix_files(records, {0, 1, 0, 2, 0, 2, 1}, 3, false));
  return found.empty() ? "" : found.front();
}

bool mentions(const std::string& sentence, const char* part) { return sentence.find(part) != std::string::npos; }

TEST_CASE("each kind of fault in a radix trie is named") {
  using Records = std::vector<ReferenceRecord>;
  CHECK(violation_after([](Records&) {}) == "");
  CHECK(mentions(violation_after([](Records& r) { r[2].edge = {0}; }), "begins with token 0 too"));
  CHECK(mentions(violation_after([](Records& r) { r[3].edge = {0, 0}; }), "no entry of its parent"));
  CHECK(mentions(violation_after([](Records& r) { r[0].mass = 5; }), "the masses of the root's edges sum to 8"));
  CHECK(mentions(violation_after([](Records& r) { r[4].mass = 3; }), "its mass is 3, but its parent counts 2"));
  CHECK(mentions(violation_after([](Records& r) { r[4].entries.pop_back(); }), "1 entries, but its edge would go on"));
  CHECK(mentions(violation_after([](Records& r) { r[6].entries.clear(); }), "0 entries"));
  CHECK(mentions(violation_after([](Records& r) { r[0].entries[1].first = 1; }), "a token is an entry twice"));
  CHECK(mentions(violation_after([](Records& r) { r[6].entries[0].second = 2; }), "its mass is 1, but its entries"));
  CHECK(mentions(violation_after([](Records& r) { r[6].parent = 3; }), "its edge begins at depth 3"));
  CHECK(mentions(violation_after([](Records& r) { r[6].parent = 2; }), "at the largest depth"));
}

TEST_CASE("subtree files that differ from the records, or do not hold each once, are named") {
  const Files good = radix_files(golden_records(), {0, 1, 0, 2, 0, 2, 1}, 3, true);
  CHECK(violations_of(good) == Sentences{});
  Files changed = good;
  changed[subtree_file_name(1)][28 + 16] = 1;  // the edge's first token
  CHECK(mentions(violations_of(changed).front(), "differs from the one in its depth's file"));
  changed = good;
  changed["manifest.bin"][12 + 8] = 2;  // edge tokens of the first line
  CHECK(mentions(violations_of(changed).front(), "its totals are not those of its records"));
  changed = good;
  changed.erase(subtree_file_name(2));
  CHECK_THROWS_AS(violations_of(changed), FormatError);
}

TEST_CASE("a missing node, a wrong count and a wrong depth are found in tries of paths") {
  const Text text{0, 1, 0, 2, 0, 2, 1};
  LeveledBuilder leveled(text, 3);
  leveled.nodes[9].entries[2] = 2;
  CHECK(mentions(violations_of(leveled.files(text, 3, 3)).front(), "its entries sum to 2, but its parent counts 1"));
  leveled = LeveledBuilder(text, 3);
  leveled.nodes.pop_back();
  CHECK(mentions(violations_of(leveled.files(text, 3, 3)).front(), "at depth 3 sum to 3, but 4 starts"));
  leveled = LeveledBuilder(text, 3);
  leveled.nodes[4].token = 2;
  CHECK(mentions(violations_of(leveled.files(text, 3, 3)).front(), "has token 2 too"));
}

}  // namespace
}  // namespace agpt
