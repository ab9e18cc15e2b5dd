// The index against a dictionary of all paths, on thousands of random corpora; its file, its threads, its queries.
#include "cpp/trie/trie_index.h"

#include <doctest/doctest.h>

#include <cstring>
#include <filesystem>
#include <fstream>

#include "cpp/base/error.h"
#include "cpp/base/random.h"
#include "cpp/corpus/token_hash.h"
#include "cpp/trie/index_builder.h"
#include "cpp/trie/trie_profile.h"
#include "cpp/trie/trie_verify.h"
#include "cpp/trie/trie_walk.h"
#include "tests/cpp/temporary_files.h"
#include "tests/cpp/trie/brute_force_trie.h"
#include "tests/cpp/trie/index_bytes.h"
#include "tests/cpp/trie/random_corpora.h"

namespace agpt {
namespace {

using Path = BruteForceTrie::Path;

std::vector<TokenCount> to_vector(std::span<const TokenCount> targets) { return {targets.begin(), targets.end()}; }

Path path_of(const TrieIndex& index, const TrieEdge& edge) {
  Path path;
  for (int k = 0; k < edge.depth; ++k) path.push_back(index.token(edge.text + k));
  return path;
}

void check_node(const TrieIndex& index, const BruteForceTrie& truth, Index i) {
  const BruteForceTrie::Node& node = truth.nodes[static_cast<size_t>(i)];
  CHECK(index.parent_depth(i) == node.parent_depth);
  CHECK(index.depth(i) == static_cast<int>(node.path.size()));
  CHECK(index.subtree_end(i) == node.end);
  CHECK(index.first_row(i) == node.first_row);
  CHECK(index.mass(i) == node.mass);
  std::vector<TokenCount> targets;
  index.targets(i, targets);
  CHECK(targets == node.targets);
  for (int depth = node.parent_depth + 1; depth <= static_cast<int>(node.path.size()); ++depth) {
    CHECK(index.node_of_row(node.first_row + depth - node.parent_depth - 1) == i);
    CHECK(index.row_mass(i, depth) == truth.mass_of(Path(node.path.begin(), node.path.begin() + depth)));
  }
}

// A walk from `first` to the end meets every node, with every field.
void check_walk(const TrieIndex& index, const BruteForceTrie& truth, Index first) {
  TrieWalk walk(index, first);
  TrieEdge edge;
  Index i = first;
  for (; walk.next(edge); ++i) {
    REQUIRE(i < static_cast<Index>(truth.nodes.size()));
    const BruteForceTrie::Node& node = truth.nodes[static_cast<size_t>(i)];
    CHECK(edge.node == i);
    CHECK(edge.parent_depth == node.parent_depth);
    CHECK(edge.mass == node.mass);
    CHECK(path_of(index, edge) == node.path);
    CHECK(to_vector(walk.targets()) == node.targets);
    for (int depth = edge.parent_depth + 1; depth <= edge.depth; ++depth)
      CHECK(walk.row_mass(depth) == truth.mass_of(Path(node.path.begin(), node.path.begin() + depth)));
  }
  CHECK(i == index.n_nodes());
}

void check_queries(const TrieIndex& index, const BruteForceTrie& truth, Random& random) {
  std::map<Path, bool> rows;  // pruning leaves fewer than there are in the dictionary
  for (const auto& node : truth.nodes)
    for (size_t k = static_cast<size_t>(node.parent_depth) + 1; k <= node.path.size(); ++k)
      rows[Path(node.path.begin(), node.path.begin() + static_cast<std::ptrdiff_t>(k))] = true;
  const Index n = index.n_tokens();
  for (int trial = 0; trial < 20; ++trial) {
    Path path;
    const auto begin = static_cast<Index>(random.below(static_cast<uint64_t>(n)));
    const auto length = static_cast<Index>(random.below(static_cast<uint64_t>(index.depth()) + 3));
    for (Index k = 0; k < length && begin + k < n; ++k) path.push_back(index.token(begin + k));
    if (trial % 3 == 0 && !path.empty()) path[random.below(path.size())] = static_cast<Token>(random.below(260));
    int match = 0;
    for (size_t k = 1; k <= path.size(); ++k)
      if (rows.contains(Path(path.begin(), path.begin() + static_cast<std::ptrdiff_t>(k)))) match = static_cast<int>(k);
    CHECK(index.longest_match(path) == match);
    if (path.empty()) {
      CHECK(index.count(path) == truth.n_starts);
      continue;
    }
    const bool is_row = rows.contains(path);
    CHECK(index.count(path) == (is_row ? truth.mass_of(path) : 0));
    std::vector<TokenCount> next;
    if (is_row)
      for (const auto& [token, count] : truth.followers.at(path)) next.push_back({token, count});
    CHECK(index.next_counts(path) == next);
  }
}

void check_totals(const TrieIndex& index, const BruteForceTrie& truth) {
  REQUIRE(index.n_nodes() == static_cast<Index>(truth.nodes.size()));
  REQUIRE(index.n_positions() == truth.n_positions);
  CHECK(index.n_starts() == truth.n_starts);
  Index n_entries = 0;
  double mass = 0;
  for (const auto& node : truth.nodes) {
    n_entries += static_cast<Index>(node.targets.size());
    for (auto k = node.parent_depth + 1; k <= static_cast<int>(node.path.size()); ++k)
      mass += truth.mass_of(Path(node.path.begin(), node.path.begin() + k));
  }
  CHECK(index.n_entries() == n_entries);
  CHECK(index.total_mass() == mass);
}

void check_index(const Corpus& corpus, const IndexOptions& options, Random& random) {
  const TrieIndex index = build_trie_index(corpus, options, 1);
  const TrieIndex threaded = build_trie_index(corpus, options, 3);
  REQUIRE(std::ranges::equal(index.bytes(), threaded.bytes()));
  const CorpusSplit split = split_corpus(corpus, options.val_fraction, options.split_seed, options.reverse);
  CHECK(to_vector(index.tokens()) == to_vector(split.training.view()));
  CHECK(to_vector(index.held_out()) == to_vector(split.held_out.view()));
  CHECK(index.vocabulary() == corpus.vocabulary());
  const BruteForceTrie truth(to_vector(index.tokens()), corpus.vocabulary().boundary(), options);
  check_totals(index, truth);
  for (Index node = 0; node < index.n_nodes(); ++node) check_node(index, truth, node);
  CHECK(index.first_row(index.n_nodes()) == index.n_positions());
  check_walk(index, truth, 0);
  check_walk(index, truth, static_cast<Index>(random.below(static_cast<uint64_t>(index.n_nodes()) + 1)));
  check_queries(index, truth, random);
  CHECK(verify_trie_index(index) == std::vector<std::string>{});
}

TEST_CASE("every field of every node agrees with a dictionary of all paths, for random texts and options") {
  Random random(1);
  for (int trial = 0; trial < 3000; ++trial) {
    CAPTURE(trial);
    const Corpus corpus = random_text(random, trial % 10 == 0 ? 200 : 42);
    check_index(corpus, random_options(random, false), random);
  }
}

TEST_CASE("every field of every node agrees with a dictionary of all paths, for random documents") {
  Random random(2);
  for (int trial = 0; trial < 1500; ++trial) {
    CAPTURE(trial);
    const Corpus corpus = random_documents(random);
    check_index(corpus, random_options(random, true), random);
  }
}

TEST_CASE("texts of two tokens make an index, shorter ones an error") {
  for (const std::vector<Token>& tokens : {std::vector<Token>{}, std::vector<Token>{3}}) {
    CHECK_THROWS_AS(build_trie_index(Corpus::from_tokens<Token>(tokens, {}), {}, 1), ArgumentError);
  }
  const TrieIndex index = build_trie_index(Corpus::from_tokens<Token>(std::vector<Token>{3, 1}, {}), {}, 1);
  CHECK(index.n_positions() == 1);
  CHECK(index.count(std::vector<Token>{3}) == 1);
  CHECK(index.count(std::vector<Token>{1}) == 0);
}

TEST_CASE("without documents or dropped edges, the masses at depth k sum to n - k") {
  Random random(3);
  const std::vector<Token> tokens = random_tokens(5000, 5, random);
  const TrieIndex index = build_trie_index(Corpus::from_tokens<Token>(tokens, {}), {.depth = 20}, 2);
  const TrieProfile profile = profile_trie_index(index);
  for (Index k = 1; k <= 20; ++k) CHECK(profile.mass[static_cast<size_t>(k) - 1] == 5000 - k);
}

TEST_CASE("groups too large for the small sorts are sorted right, and by any number of threads alike") {
  Random random(4);
  for (const Token alphabet : {1u, 2u, 70u, 100000u}) {
    std::vector<Token> tokens(150000);
    for (Token& token : tokens) token = static_cast<Token>(random.below(alphabet));
    for (size_t i = 50000; i < 100000; ++i) tokens[i] = random.below(1000) ? 0 : alphabet - 1;
    std::copy_n(tokens.begin(), 45000, tokens.begin() + 100000);
    for (const int depth : {1, 33, 253}) {
      CAPTURE(alphabet);
      CAPTURE(depth);
      const Corpus corpus = Corpus::from_tokens<Token>(tokens, {});
      const TrieIndex index = build_trie_index(corpus, {.depth = depth}, 1);
      CHECK(std::ranges::equal(index.bytes(), build_trie_index(corpus, {.depth = depth}, 4).bytes()));
      if (depth < 253) CHECK(verify_trie_index(index) == std::vector<std::string>{});
    }
  }
}

// "ABACACB" with A = 0, B = 1, C = 2 and depth 3: the records of the reference builder.
TEST_CASE("the small published example comes out record by record") {
  const Corpus corpus = Corpus::from_text("ABACACB", VocabularyKind::characters);
  const TrieIndex index = build_trie_index(corpus, {.depth = 3, .corpus_end = CorpusEnd::reference}, 1);
  struct Record {
    Path path;
    int parent_depth;
    uint32_t first_row_mass;
    std::vector<TokenCount> targets;
  };
  const std::vector<Record> records = {
      {{0}, 0, 3, {{1, 1}, {2, 2}}}, {{0, 1, 0}, 1, 1, {{2, 1}}}, {{0, 2}, 1, 2, {{0, 1}, {1, 1}}},
      {{0, 2, 0}, 2, 1, {{2, 1}}},   {{1, 0, 2}, 0, 1, {{0, 1}}}, {{2}, 0, 2, {{0, 1}, {1, 1}}},
      {{2, 0, 2}, 1, 1, {{1, 1}}},
  };
  REQUIRE(index.n_nodes() == static_cast<Index>(records.size()));
  CHECK(index.n_positions() == 11);
  TrieWalk walk(index, 0);
  TrieEdge edge;
  for (const Record& record : records) {
    REQUIRE(walk.next(edge));
    CHECK(path_of(index, edge) == record.path);
    CHECK(edge.parent_depth == record.parent_depth);
    CHECK(walk.row_mass(edge.parent_depth + 1) == record.first_row_mass);
    CHECK(to_vector(walk.targets()) == record.targets);
  }
  CHECK_FALSE(walk.next(edge));
}

TEST_CASE("no path of a document corpus crosses into another document") {
  const std::vector<std::string_view> names = {"anna", "an", "an", "bob"};
  const Corpus corpus = Corpus::from_documents(names, VocabularyKind::characters);
  const Token boundary = *corpus.vocabulary().boundary();
  IndexOptions options;
  options.starts.rule = Starts::Rule::documents;
  const TrieIndex index = build_trie_index(corpus, options, 1);
  std::vector<Token> path = corpus.vocabulary().encode("an");
  path.insert(path.begin(), boundary);
  const Token n = corpus.vocabulary().encode("n")[0];
  CHECK(index.next_counts(path) == std::vector<TokenCount>{{n, 1}, {boundary, 2}});
  path.push_back(boundary);
  CHECK(index.count(path) == 0);
  CHECK(index.longest_match(path) == 3);
  CHECK(index.total_mass() == 5 + 3 + 3 + 4);
}

struct TemporaryFile {
  std::string path;
  ~TemporaryFile() { std::filesystem::remove(path); }
};

void write_file(const std::string& path, const std::string& content) {
  std::ofstream(path, std::ios::binary) << content;
}

TEST_CASE("a saved index opens with the same bytes and nothing else is left behind") {
  const TemporaryFile file{temporary_path("saved.idx")};
  IndexOptions options{.depth = 7, .val_fraction = 0.25};
  options.starts = Starts::parse("max=9+2");
  options.prune_min_mass = 2;
  const TrieIndex index =
      build_trie_index(Corpus::from_text("to be or not to be, that is", VocabularyKind::characters), options, 1);
  index.save(file.path);
  CHECK(n_files_named_like(file.path) == 1);
  const TrieIndex opened = TrieIndex::open(file.path);
  CHECK(std::ranges::equal(index.bytes(), opened.bytes()));
  CHECK(opened.vocabulary() == index.vocabulary());
  CHECK(opened.options().starts == options.starts);
  CHECK(opened.options().val_fraction == 0.25);
  CHECK(opened.options().prune_min_mass == 2);
  CHECK(opened.token_hash() == token_hash(opened.tokens()));
}

std::string small_index() {
  return bytes_of(build_trie_index(Corpus::from_text("abracadabra", VocabularyKind::characters), {.depth = 4}, 1));
}

TEST_CASE("a file that is truncated anywhere is refused") {
  const TemporaryFile file{temporary_path("truncated.idx")};
  const std::string whole = small_index();
  CHECK_NOTHROW(read_index(whole));
  CHECK_THROWS_AS(read_index(whole + '\0'), FormatError);
  for (size_t size = 1; size < whole.size(); ++size) CHECK_THROWS_AS(read_index(whole.substr(0, size)), FormatError);
  for (const size_t size : {size_t{0}, size_t{1}, size_t{100}, sizeof(IndexHeader), whole.size() - 1}) {
    write_file(file.path, whole.substr(0, size));
    CHECK_THROWS_AS(TrieIndex::open(file.path), FormatError);
  }
}

TEST_CASE("a file with any one byte changed is refused") {
  const std::string whole = small_index();
  for (size_t i = 0; i < whole.size(); ++i)
    for (const int change : {1, 128, 255}) {
      std::string damaged = whole;
      damaged[i] = static_cast<char>(damaged[i] ^ change);
      CHECK_THROWS_AS(read_index(damaged), FormatError);
    }
}

// Even a header whose checksum is right is believed only as far as it fits the file.
TEST_CASE("a header with any number made large is refused or harmless") {
  const std::string whole = small_index();
  Random random(5);
  for (size_t at = 8; at + 8 < sizeof(IndexHeader); at += 4)
    for (const uint64_t value :
         {uint64_t{0}, uint64_t{0xFFFFFFFF}, ~uint64_t{0}, uint64_t{1} << 33, random.next_bits()}) {
      std::string damaged = whole;
      std::memcpy(damaged.data() + at, &value, at % 8 == 0 ? 8 : 4);
      try {
        read_index(with_right_checksums(damaged));
      } catch (const FormatError&) {
      }
    }
}

TEST_CASE("errors of open say what is wrong with the file") {
  const TemporaryFile file{temporary_path("wrong.idx")};
  CHECK_THROWS_WITH_AS(TrieIndex::open(file.path), doctest::Contains("No such file"), FormatError);
  write_file(file.path, "not an index, but long enough to be taken for one");
  CHECK_THROWS_WITH_AS(TrieIndex::open(file.path), doctest::Contains("is not an agpt index"), FormatError);
  const std::string whole = small_index();
  std::string changed = whole;
  changed.replace(0, 8, kIncompleteMagic, 8);
  write_file(file.path, changed);
  CHECK_THROWS_WITH_AS(TrieIndex::open(file.path), doctest::Contains("was not finished"), FormatError);
  changed = whole;
  changed[8] = 99;
  write_file(file.path, changed);
  CHECK_THROWS_WITH_AS(TrieIndex::open(file.path), doctest::Contains("has format 99, but this agpt reads format 1"),
                       FormatError);
  write_file(file.path, whole.substr(0, whole.size() - 1));
  CHECK_THROWS_WITH_AS(TrieIndex::open(file.path), doctest::Contains("is truncated"), FormatError);
}

TEST_CASE("an index that cannot be written is an error and leaves nothing") {
  const TrieIndex index = build_trie_index(Corpus::from_text("abracadabra", VocabularyKind::characters), {}, 1);
  CHECK_THROWS_AS(index.save("/nonexistent-folder/x.idx"), FormatError);
}

TEST_CASE("options out of range are argument errors with the value in the text") {
  const Corpus text = Corpus::from_text("abracadabra", VocabularyKind::characters);
  CHECK_THROWS_WITH_AS(build_trie_index(text, {.depth = 0}), doctest::Contains("is 0"), ArgumentError);
  CHECK_THROWS_WITH_AS(build_trie_index(text, {.depth = 254}), doctest::Contains("is 254"), ArgumentError);
  CHECK_THROWS_AS(build_trie_index(text, {.val_fraction = 1}), ArgumentError);
  CHECK_THROWS_AS(build_trie_index(text, {.val_fraction = 0.95}), ArgumentError);
  CHECK_THROWS_AS(build_trie_index(text, {.prune_min_mass = 0}), ArgumentError);
  CHECK_THROWS_AS(build_trie_index(text, {.starts = Starts::parse("documents")}), ArgumentError);
  const std::vector<std::string_view> list = {"ab", "c"};
  const Corpus documents = Corpus::from_documents(list, VocabularyKind::bytes);
  CHECK_THROWS_AS(build_trie_index(documents, {.starts = Starts::parse("stride=2")}), ArgumentError);
  CHECK_THROWS_AS(build_trie_index(documents, {.corpus_end = CorpusEnd::reference}), ArgumentError);
}

TEST_CASE("rules for starts are read as they are written") {
  for (const char* text : {"every", "stride=7", "max=100", "max=100+3", "documents"})
    CHECK(Starts::parse(text).to_string() == text);
  for (const char* text : {"", "stride=0", "stride=", "stride=-1", "max=0", "max=2+", "max=+2", "max=2+x", "each"})
    CHECK_THROWS_AS(Starts::parse(text), ArgumentError);
}

TEST_CASE("progress rises to 1, and an exception from it ends the build") {
  const Corpus corpus = Corpus::from_text("the quick brown fox jumps over the lazy dog", VocabularyKind::characters);
  std::vector<double> seen;
  build_trie_index(corpus, {}, 2, [&](double fraction, const std::string&) { seen.push_back(fraction); });
  CHECK(std::ranges::is_sorted(seen));
  CHECK(seen.back() == 1);
  CHECK_THROWS_AS(build_trie_index(corpus, {}, 2, [](double, const std::string&) { throw DeviceError("stop"); }),
                  DeviceError);
}

TEST_CASE("a build that would exceed the memory cap says so") {
  Random random(6);
  const Corpus corpus = Corpus::from_tokens<Token>(random_tokens(100000, 5, random), {});
  set_memory_cap(memory_reserved() + 500000);
  CHECK_THROWS_AS(build_trie_index(corpus, {}, 1), MemoryCapError);
  set_memory_cap(0);
  const size_t before = memory_reserved();
  build_trie_index(corpus, {}, 1);
  CHECK(memory_reserved() == before);
}

}  // namespace
}  // namespace agpt
