// Builds under a memory cap, with their folder of parts: the same bytes, whatever happens on the way.
#include "cpp/trie/index_builder.h"

#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>

#include "cpp/base/error.h"
#include "cpp/base/file_writer.h"
#include "cpp/base/memory.h"
#include "cpp/base/random.h"
#include "tests/cpp/temporary_files.h"

namespace agpt {
namespace {

constexpr Index kTokens = 200000;

// Text-like: some tokens are common, and long passages occur again.
std::vector<Token> text_like(Index n, Token alphabet, Random& random) {
  std::vector<Token> tokens(static_cast<size_t>(n));
  for (size_t i = 0; i < tokens.size(); ++i) {
    tokens[i] = static_cast<Token>(alphabet * random.uniform() * random.uniform());
    if (i > 5000 && random.below(50) == 0)
      for (size_t length = random.below(100), from = random.below(i); length > 0 && i + 1 < tokens.size(); --length)
        tokens[++i] = tokens[from++];
  }
  return tokens;
}

Corpus example(Token alphabet) {
  Random random(alphabet);
  return Corpus::from_tokens<Token>(text_like(kTokens, alphabet, random), {});
}

Corpus example_documents() {
  Random random(3);
  std::vector<std::vector<Token>> documents;
  for (int i = 0; i < 20000; ++i) documents.push_back(text_like(static_cast<Index>(random.below(40)), 60, random));
  return Corpus::from_token_documents(documents, {});
}

std::string bytes_of(const TrieIndex& index) {
  return {reinterpret_cast<const char*>(index.bytes().data()), index.bytes().size()};
}

// The least cap that build_trie_index_file() accepts for this corpus and up to 3 threads, to 5 percent.
size_t least_memory(const Corpus& corpus, const IndexOptions& options) {
  const std::string path = temporary_path("least.idx");
  for (size_t memory = 1 << 20;; memory += memory / 20) {
    try {
      build_trie_index_file(path, corpus, options, {.n_threads = 3, .memory = memory});
      std::filesystem::remove(path);
      return memory;
    } catch (const MemoryCapError&) {
    }
  }
}

// Everything that a test may leave behind.
struct Output {
  std::string path;
  ~Output() {
    std::filesystem::remove(path);
    std::filesystem::remove_all(path + ".build");
  }
};

// A build that is stopped when `fraction` of it is done.
void build_part_of(double fraction, const std::string& path, const Corpus& corpus, const IndexOptions& options,
                   size_t memory) {
  BuildResources resources{.n_threads = 2, .memory = memory};
  resources.progress = [fraction](double done, const std::string&) {
    if (done >= fraction) throw DeviceError("stop");
  };
  CHECK_THROWS_AS(build_trie_index_file(path, corpus, options, resources), DeviceError);
}

TEST_CASE(
    "a build under any memory cap and with any threads writes the bytes of the build in memory, and nothing else") {
  const Output out{temporary_path("capped.idx")};
  for (const Token alphabet : {2u, 90u, 5000u, 100000u}) {
    const Corpus corpus = example(alphabet);
    const IndexOptions options{.depth = 9, .prune_min_mass = alphabet == 90 ? 3 : 1};
    const std::string expected = bytes_of(build_trie_index(corpus, options, 1));
    const size_t least = least_memory(corpus, options);
    for (const size_t memory : {size_t{0}, least, least + least / 8, 2 * least})
      for (const int threads : {1, 3}) {
        CAPTURE(alphabet);
        CAPTURE(memory);
        build_trie_index_file(out.path, corpus, options, {.n_threads = threads, .memory = memory});
        CHECK(read_file(out.path) == expected);
        CHECK(n_files_named_like(out.path) == 1);
      }
  }
}

TEST_CASE("documents are built under a memory cap too, by any rule for starts") {
  const Output out{temporary_path("documents.idx")};
  const Corpus corpus = example_documents();
  for (const char* rule : {"documents", "every"}) {
    IndexOptions options{.depth = 12};
    options.starts = Starts::parse(rule);
    const std::string expected = bytes_of(build_trie_index(corpus, options, 1));
    build_trie_index_file(out.path, corpus, options, {.n_threads = 3, .memory = least_memory(corpus, options)});
    CHECK(read_file(out.path) == expected);
    CHECK(bytes_of(build_trie_index(corpus, options, 3)) == expected);
  }
}

TEST_CASE("a capped build reserves no more than its cap") {
  const Output out{temporary_path("reserved.idx")};
  const size_t before = memory_reserved();
  const Corpus corpus = example(90);
  const IndexOptions options{.depth = 32};
  const size_t least = least_memory(corpus, options);
  const size_t whole = bytes_of(build_trie_index(corpus, options, 1)).size();
  for (const size_t memory : {least, least + least / 4}) {
    set_memory_cap(before + memory);
    CHECK_NOTHROW(build_trie_index_file(out.path, corpus, options, {.n_threads = 2, .memory = memory}));
    set_memory_cap(0);
  }
  CHECK(std::filesystem::file_size(out.path) == whole);
  CHECK(least < whole + kTokens * 4);  // less than the parts and suffixes together: there was something to save
}

TEST_CASE("a cap too small for any build is refused with the least that will do, and leaves nothing") {
  const std::string path = temporary_path("refused.idx");
  CHECK_THROWS_WITH_AS(build_trie_index_file(path, example(90), {}, {.n_threads = 1, .memory = 100000}),
                       doctest::Contains("needs at least"), MemoryCapError);
  CHECK(n_files_named_like(path) == 0);
}

TEST_CASE("a build that was stopped goes on where it was, to the same bytes") {
  const Output out{temporary_path("stopped.idx")};
  const Corpus corpus = example(90);
  const IndexOptions options{.depth = 20};
  const std::string expected = bytes_of(build_trie_index(corpus, options, 1));
  const size_t memory = least_memory(corpus, options);
  for (const double fraction : {0.0, 0.5, 0.9}) {
    CAPTURE(fraction);
    build_part_of(fraction, out.path, corpus, options, memory);
    CHECK_FALSE(std::filesystem::exists(out.path));
  }
  REQUIRE(std::filesystem::exists(out.path + ".build"));
  std::vector<double> seen;
  BuildResources resources{.n_threads = 2, .memory = memory};
  resources.progress = [&](double done, const std::string&) { seen.push_back(done); };
  build_trie_index_file(out.path, corpus, options, resources);
  CHECK(read_file(out.path) == expected);
  CHECK(std::is_sorted(seen.begin(), seen.end()));
  CHECK(n_files_named_like(out.path) == 1);
}

TEST_CASE("parts of another corpus, of other options, or damaged are discarded with a remark, never used") {
  const Output out{temporary_path("foreign.idx")};
  const IndexOptions options{.depth = 20};
  const Corpus corpus = example(90), other = example(91);
  const size_t memory = least_memory(corpus, options);
  const std::string expected = bytes_of(build_trie_index(corpus, options, 1));
  for (const int trial : {0, 1, 2}) {
    CAPTURE(trial);
    build_part_of(0.85, out.path, trial == 0 ? other : corpus, trial == 1 ? IndexOptions{.depth = 21} : options,
                  memory + memory / 10);
    if (trial == 2) {  // one bit in the middle of each
      for (const auto& entry : std::filesystem::directory_iterator(out.path + ".build")) {
        std::fstream file(entry.path(), std::ios::binary | std::ios::in | std::ios::out);
        const auto middle = static_cast<std::streamoff>(entry.file_size() / 2);
        file.seekg(middle);
        const char byte = static_cast<char>(file.get() ^ 1);
        file.seekp(middle).put(byte);
      }
    }
    std::string remarks;
    BuildResources resources{.n_threads = 2, .memory = memory + memory / 10};
    resources.remark = [&](const std::string& remark) { remarks += remark; };
    build_trie_index_file(out.path, corpus, options, resources);
    CHECK(remarks.find("parts of another build") != std::string::npos);
    CHECK(read_file(out.path) == expected);
  }
}

TEST_CASE("two builds of one file at the same time: the second is refused, the first ends well") {
  const Output out{temporary_path("twice.idx")};
  const Corpus corpus = example(90);
  const IndexOptions options{.depth = 5};
  const size_t memory = least_memory(corpus, options);
  bool tried = false;
  BuildResources resources{.n_threads = 1, .memory = memory};
  resources.progress = [&](double done, const std::string&) {
    if (done < 0.5 || tried) return;
    tried = true;
    CHECK_THROWS_WITH_AS(build_trie_index_file(out.path, corpus, options, {.n_threads = 1, .memory = memory}),
                         doctest::Contains("another process"), FormatError);
  };
  build_trie_index_file(out.path, corpus, options, resources);
  CHECK(tried);
  CHECK(read_file(out.path) == bytes_of(build_trie_index(corpus, options, 1)));
}

}  // namespace
}  // namespace agpt
