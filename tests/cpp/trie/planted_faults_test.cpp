// Good indexes with one thing changed, their checksums made right again: opening refuses each or verification names it,
// unless the changed file is itself what the builder makes of the text and options that it states.
#include <doctest/doctest.h>

#include <array>
#include <set>

#include "cpp/base/error.h"
#include "cpp/corpus/token_hash.h"
#include "cpp/trie/trie_verify.h"
#include "tests/cpp/trie/index_bytes.h"
#include "tests/cpp/trie/sample_indexes.h"

namespace agpt {
namespace {

enum class Verdict { refused, named, accepted };

Verdict judge(const std::string& bytes) {
  try {
    const TrieIndex index = read_index(bytes);
    return verify_trie_index(index).empty() ? Verdict::accepted : Verdict::named;
  } catch (const FormatError&) {
    return Verdict::refused;
  }
}

// What can be changed to another good index: text that the trie does not depend on, and options that make no
// difference to this text.
const std::set<std::string> kFree = {"held_out",
                                     "characters",
                                     "split_seed",
                                     "val_fraction",
                                     "vocabulary_kind",
                                     "vocabulary_size",
                                     "prune_min_mass",
                                     "prune_min_depth",
                                     "corpus_end",
                                     "reversed",
                                     "start_rule",  // every is stride=1
                                     "a token unseen by the trie, and the hash of the text"};
// What verification holds against each other and a rebuild takes as it is.
const std::set<std::string> kNotRebuilt = {"held_out", "val_fraction"};

class Planter {
 public:
  explicit Planter(const SampleIndex& sample) : sample_(sample), good_(bytes_of(sample.index)) {}

  // where: what is changed, as kFree would have it.
  void plant(const std::string& where, const std::string& changed) {
    if (changed == good_) return;
    const std::string bytes = with_right_checksums(changed);
    const Verdict verdict = judge(bytes);
    if (verdict == Verdict::accepted) {
      INFO(sample_.name << ": " << where);
      CHECK(kFree.contains(where));
      CHECK(verify_by_rebuilding(read_index(bytes), 1).empty());
    } else if (verdict == Verdict::named && !kNotRebuilt.contains(where) &&
               n_named_++ % 64 == 0) {  // the other verdict takes a build: now and then
      INFO(sample_.name << ": " << where);
      CHECK(is_wrong_by_rebuilding(bytes));
    }
  }
  const std::string& good() const { return good_; }

 private:
  static bool is_wrong_by_rebuilding(const std::string& bytes) {
    try {
      return !verify_by_rebuilding(read_index(bytes), 1).empty();
    } catch (const ArgumentError&) {
      return true;  // no text that could be built on
    }
  }

  const SampleIndex& sample_;
  const std::string good_;
  int n_named_ = 0;
};

struct HeaderField {
  const char* name;
  size_t offset, bytes;
};
#define AGPT_FIELD(field) \
  HeaderField { #field, offsetof(IndexHeader, field), sizeof(IndexHeader::field) }
constexpr std::array kHeaderFields = {
    AGPT_FIELD(magic),           AGPT_FIELD(version),         AGPT_FIELD(header_bytes),    AGPT_FIELD(file_bytes),
    AGPT_FIELD(token_bytes),     AGPT_FIELD(depth),           AGPT_FIELD(start_rule),      AGPT_FIELD(corpus_end),
    AGPT_FIELD(reversed),        AGPT_FIELD(vocabulary_kind), AGPT_FIELD(vocabulary_size), AGPT_FIELD(boundary),
    AGPT_FIELD(start_stride),    AGPT_FIELD(start_count),     AGPT_FIELD(start_offset),    AGPT_FIELD(prune_min_mass),
    AGPT_FIELD(prune_min_depth), AGPT_FIELD(val_fraction),    AGPT_FIELD(split_seed),      AGPT_FIELD(token_hash),
    AGPT_FIELD(n_tokens),        AGPT_FIELD(n_held_out),      AGPT_FIELD(n_starts),        AGPT_FIELD(n_nodes),
    AGPT_FIELD(n_leaves),        AGPT_FIELD(n_positions),     AGPT_FIELD(n_entries),       AGPT_FIELD(total_mass),
    AGPT_FIELD(column_offset),   AGPT_FIELD(column_bytes)};
#undef AGPT_FIELD

TEST_CASE("the samples are good and together have an element in every column") {
  std::set<size_t> seen;
  for (const SampleIndex& sample : make_sample_indexes()) {
    CAPTURE(sample.name);
    CHECK(verify_trie_index(sample.index) == std::vector<std::string>{});
    CHECK(verify_by_rebuilding(sample.index) == std::vector<std::string>{});
    for (size_t c = 0; c < kColumns; ++c)
      if (sample.index.header().column_bytes[c] > 0) seen.insert(c);
  }
  for (size_t c = 0; c < kColumns; ++c) {
    INFO(std::string(column_name(static_cast<Column>(c))));
    CHECK(seen.contains(c));
  }
}

TEST_CASE("a change of any byte of any column, or between columns, is found") {
  for (const SampleIndex& sample : make_sample_indexes()) {
    Planter planter(sample);
    const IndexHeader& header = sample.index.header();
    std::vector<std::string> place(planter.good().size(), "between columns");
    for (size_t c = 0; c < kColumns; ++c)
      std::fill_n(place.begin() + static_cast<std::ptrdiff_t>(header.column_offset[c]), header.column_bytes[c],
                  column_name(static_cast<Column>(c)));
    for (size_t at = sizeof(IndexHeader); at < planter.good().size(); ++at) {
      std::string changed = planter.good();
      changed[at] = static_cast<char>(changed[at] ^ (at % 2 == 0 ? 1 : 128));
      planter.plant(place[at], changed);
    }
  }
}

TEST_CASE("two neighbours that change places in any column are found") {
  for (const SampleIndex& sample : make_sample_indexes()) {
    Planter planter(sample);
    const IndexHeader& header = sample.index.header();
    for (size_t c = 0; c < kColumns; ++c)
      for (const size_t width : {1u, 4u, 24u})
        for (size_t i = 0; i + 2 * width <= header.column_bytes[c]; i += width) {
          std::string changed = planter.good();
          char* const first = changed.data() + header.column_offset[c] + i;
          std::swap_ranges(first, first + width, first + width);
          planter.plant(column_name(static_cast<Column>(c)), changed);
        }
  }
}

TEST_CASE("a change of any number in the header is found, but of options that make no difference") {
  for (const SampleIndex& sample : make_sample_indexes()) {
    Planter planter(sample);
    for (const HeaderField& field : kHeaderFields) {
      const size_t width = std::min<size_t>(field.bytes, 8);
      for (size_t at = field.offset; at < field.offset + field.bytes; at += width) {
        uint64_t old = 0;
        std::memcpy(&old, planter.good().data() + at, width);
        for (const uint64_t value :
             {uint64_t{0}, uint64_t{1}, uint64_t{2}, uint64_t{3}, old + 1, old - 1, old + 64, old ^ 1u << 31,
              old ^ uint64_t{1} << 62, ~uint64_t{0}, uint64_t{0x7fffffffffffffff}}) {
          std::string changed = planter.good();
          std::memcpy(changed.data() + at, &value, width);
          planter.plant(field.name, changed);
        }
      }
    }
  }
}

// A text may not be exchanged even together with its hash: the trie is of the old one.
TEST_CASE("a token of the text that is changed together with the hash of the text is found") {
  for (const SampleIndex& sample : make_sample_indexes()) {
    Planter planter(sample);
    const IndexHeader& header = sample.index.header();
    const size_t offset = header.column_offset[static_cast<size_t>(Column::tokens)];
    for (size_t i = 0; i < header.n_tokens; ++i)
      for (Index other = 0; other < std::min<Index>(4, sample.index.vocabulary_size()); ++other) {
        TokenArray text(sample.index.n_tokens(), static_cast<int>(header.token_bytes));
        for (Index k = 0; k < text.size(); ++k)
          text.set(k, k == static_cast<Index>(i) ? static_cast<Token>(other) : sample.index.token(k));
        std::string changed = planter.good();
        std::memcpy(changed.data() + offset, text.view().data(),
                    header.column_bytes[static_cast<size_t>(Column::tokens)]);
        const uint64_t hash = token_hash(text.view());
        std::memcpy(changed.data() + offsetof(IndexHeader, token_hash), &hash, sizeof hash);
        planter.plant("a token unseen by the trie, and the hash of the text", changed);
      }
  }
}

TEST_CASE("verification says what is wrong in words") {
  const TrieIndex index =
      build_trie_index(Corpus::from_text("abracadabra", VocabularyKind::characters), {.depth = 4}, 1);
  const auto with_change = [&](Column column, size_t at) {
    std::string bytes = bytes_of(index);
    ++bytes[index.header().column_offset[static_cast<size_t>(column)] + at];
    return verify_trie_index(read_index(with_right_checksums(bytes)));
  };
  using Sentences = std::vector<std::string>;
  CHECK(with_change(Column::mass, 0) == Sentences{"node 0: its mass is 5, but by the text 4"});
  CHECK(with_change(Column::mass_counts, 8) ==
        Sentences{"the total of masses of depth 1 is 11, but should be 10",
                  "the total of masses and dropped starts of depth 1 is 11, but should be 10"});
  CHECK(with_change(Column::label, 0).at(0) ==
        "node 0: it hangs at depth 0 by the token 1, but by the text at depth 0 by the token 0, and nothing behind it "
        "was compared");
  std::string unread = bytes_of(index);
  ++unread[sizeof(IndexHeader)];
  ByteImage image = ByteImage::allocate(unread.size(), "the test");
  std::memcpy(image.writable().data(), unread.data(), unread.size());
  CHECK(verify_trie_index(TrieIndex(std::move(image), "the index")) ==
        Sentences{"the checksum of the content is wrong: the file is damaged"});
}

TEST_CASE("of many violations the first 20 are shown and the others counted") {
  const TrieIndex index = build_trie_index(sample_corpora::running(900, 4), {.depth = 6}, 1);
  std::string bytes = bytes_of(index);
  char* const starts = bytes.data() + index.header().column_offset[static_cast<size_t>(Column::leaf_start)];
  std::memset(starts, 0, index.header().column_bytes[static_cast<size_t>(Column::leaf_start)]);
  const std::vector<std::string> violations = verify_trie_index(read_index(with_right_checksums(bytes)));
  REQUIRE(violations.size() == 21);
  CHECK(violations.back() == "and " + std::to_string(index.header().n_leaves - 1 - 20) + " more violations");
}

}  // namespace
}  // namespace agpt
