// Fuzzes what reads text: UTF-8, vocabularies, corpora, and options that are written as words.
#include <stdexcept>

#include "cpp/corpus/corpus.h"
#include "cpp/trie/index_options.h"
#include "cpp/trie/trie_partition.h"
#include "tests/fuzz/fuzz_target.h"

namespace agpt {
namespace {

void require_round_trip(const Vocabulary& vocabulary, std::string_view text) {
  if (vocabulary.decode(vocabulary.encode(text)) != text) throw std::logic_error("a text decodes to another");
}

void use_text(const std::string& input, VocabularyKind kind) {
  const Corpus corpus = Corpus::from_text(input, kind);
  require_round_trip(corpus.vocabulary(), input);
  const Vocabulary& vocabulary = corpus.vocabulary();
  if (Vocabulary::from_parts(vocabulary.kind(), vocabulary.characters(), vocabulary.size(), vocabulary.boundary()) !=
      vocabulary)
    throw std::logic_error("a vocabulary is not made of its parts");
}

void use_documents(const std::string& input, VocabularyKind kind) {
  std::vector<std::string_view> documents;
  for (size_t begin = 0, end; begin <= input.size(); begin = end + 1) {
    end = std::min(input.find('\n', begin), input.size());
    documents.push_back(std::string_view(input).substr(begin, end - begin));
  }
  const Corpus corpus = Corpus::from_documents(documents, kind);
  for (const std::string_view document : documents) require_round_trip(corpus.vocabulary(), document);
}

// The first byte chooses how the others are read.
void read_text(const std::string& input) {
  if (input.empty()) return;
  const std::string text = input.substr(1);
  const auto kind = input[0] & 1 ? VocabularyKind::bytes : VocabularyKind::characters;
  if (input[0] & 2) return use_documents(text, kind);
  if (input[0] & 4) {
    Vocabulary::from_parts(kind, text, static_cast<Index>(text.size() / 2), std::nullopt);
    return;
  }
  use_text(text, kind);
}

void read_options(const std::string& input) {
  switch (input.empty() ? 0 : input[0] % 3) {
    case 0:
      Starts::parse(input);
      break;
    case 1:
      PartitionRule::parse(input);
      break;
    default:
      parse_corpus_end(input);
  }
}

}  // namespace

FuzzTarget text_target() {
  return {.name = "text",
          .seeds = {"0to be, or not to be", "1\x00\xff bytes",
                    "0\xce\xb1\xce\xb2\xce\xb3 \xe2\x82\xac \xf0\x9f\x98\x80 w\xc3\xa4r", "2anna\nbob\n\ncarl",
                    "3\xff\n\xfe", "4abcdef\xc3\xa4"},
          .run = read_text};
}

FuzzTarget option_target() {
  return {.name = "options",
          .seeds = {"every", "stride=8", "max=100+7", "documents", "bigram", "ngram=3", "balanced=4096", "exact",
                    "reference"},
          .run = read_options};
}

}  // namespace agpt
