// Text to tokens: characters, bytes, documents, the held-out split, the hash.
#include "cpp/corpus/corpus.h"

#include <doctest/doctest.h>

#include <algorithm>

#include "cpp/base/error.h"
#include "cpp/corpus/split.h"
#include "cpp/corpus/token_hash.h"

namespace agpt {
namespace {

std::vector<Token> to_vector(TokenView tokens) {
  std::vector<Token> copy;
  for (Index i = 0; i < tokens.size(); ++i) copy.push_back(tokens[i]);
  return copy;
}

TEST_CASE("characters of every length in UTF-8 are ids by code point and come back") {
  const std::string text = "z\xF0\x9F\x98\x80 a\xC3\xA9\xE2\x82\xAC\na";  // z, a face, a, e acute, the euro sign
  const Corpus corpus = Corpus::from_text(text, VocabularyKind::characters);
  CHECK(corpus.vocabulary().characters() == "\n az\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80");
  CHECK(to_vector(corpus.tokens()) == std::vector<Token>{3, 6, 1, 2, 4, 5, 0, 2});
  CHECK(corpus.vocabulary().decode(to_vector(corpus.tokens())) == text);
}

TEST_CASE("text that is not UTF-8 is an error with the byte offset, for every kind of fault") {
  for (const char* fault :
       {"\x80", "\xC0\xAF", "\xC3", "\xE2\x82", "\xED\xA0\x80", "\xF0\x80\x80\x80", "\xF4\x90\x80\x80", "\xFF"})
    CHECK_THROWS_WITH_AS(Corpus::from_text(std::string("abc") + fault, VocabularyKind::characters),
                         doctest::Contains("at offset 3 begins no character"), FormatError);
}

TEST_CASE("tokens are held in the narrowest type that the vocabulary allows") {
  CHECK(token_bytes_for(1) == 1);
  CHECK(token_bytes_for(256) == 1);
  CHECK(token_bytes_for(257) == 2);
  CHECK(token_bytes_for(65536) == 2);
  CHECK(token_bytes_for(65537) == 4);
  const std::vector<int64_t> ids = {65536, 0, 7};
  const Corpus corpus = Corpus::from_tokens<int64_t>(ids, {});
  CHECK(corpus.tokens().token_bytes() == 4);
  CHECK(to_vector(corpus.tokens()) == std::vector<Token>{65536, 0, 7});
  CHECK(to_vector(corpus.tokens().subview(1, 2)) == std::vector<Token>{0, 7});
}

TEST_CASE("the engine keeps the tokenizer of a vocabulary and leaves text to others") {
  const std::vector<Token> ids = {70000, 3};
  const Corpus corpus = Corpus::from_encoded(ids, Vocabulary::of_tokenizer("{}", 70001, false));
  CHECK(corpus.vocabulary().definition() == "{}");
  CHECK(corpus.vocabulary().characters().empty());
  CHECK(to_vector(corpus.tokens()) == ids);
  CHECK_FALSE(corpus.vocabulary() == Vocabulary::of_tokenizer("[]", 70001, false));
  CHECK_THROWS_WITH_AS(corpus.vocabulary().decode(ids), doctest::Contains("its library"), ArgumentError);
  CHECK_THROWS_WITH_AS(Corpus::from_text("a", VocabularyKind::tokenizer), doctest::Contains("characters or bytes"),
                       ArgumentError);
  const std::vector<std::span<const Token>> documents = {std::span(ids), {}};
  const Corpus pair = Corpus::from_encoded_documents(documents, Vocabulary::of_tokenizer("{}", 70001, true));
  CHECK(to_vector(pair.tokens()) == std::vector<Token>{70001, 70000, 3, 70001, 70001, 70001});
}

TEST_CASE("the end of a document is behind its second boundary") {
  const std::vector<std::string_view> texts = {"ab", "", "c"};
  const Corpus corpus = Corpus::from_documents(texts, VocabularyKind::characters);
  CHECK(to_vector(corpus.tokens()) == std::vector<Token>{3, 0, 1, 3, 3, 3, 3, 2, 3});
  CHECK(document_end(corpus.tokens(), 3, 0) == 4);
  CHECK(document_end(corpus.tokens(), 3, 4) == 6);
  CHECK(document_end(corpus.tokens(), 3, 6) == 9);
}

TEST_CASE("a running text holds out its end, whatever the direction it is read in") {
  const Corpus corpus = Corpus::from_text("abcdefghij", VocabularyKind::characters);
  const CorpusSplit split = split_corpus(corpus, 0.25, 0, false);
  CHECK(to_vector(split.training.view()) == std::vector<Token>{0, 1, 2, 3, 4, 5, 6, 7});
  CHECK(to_vector(split.held_out.view()) == std::vector<Token>{8, 9});
  const CorpusSplit reversed = split_corpus(corpus, 0.25, 0, true);
  CHECK(to_vector(reversed.training.view()) == std::vector<Token>{7, 6, 5, 4, 3, 2, 1, 0});
  CHECK(to_vector(reversed.held_out.view()) == std::vector<Token>{9, 8});
  CHECK(split_corpus(corpus, 1e-9, 0, false).held_out.size() == 1);
  CHECK(split_corpus(corpus, 0, 0, false).held_out.size() == 0);
  CHECK_THROWS_AS(split_corpus(corpus, 0.9, 0, false), ArgumentError);
}

TEST_CASE("documents are held out whole, in order, and reversed one by one") {
  const std::vector<std::string_view> texts = {"ab", "cd", "ef", "gh"};
  const Corpus corpus = Corpus::from_documents(texts, VocabularyKind::characters);
  const CorpusSplit split = split_corpus(corpus, 0.5, 7, false);
  CHECK(split.training.size() == 8);
  CHECK(split.held_out.size() == 8);
  const CorpusSplit reversed = split_corpus(corpus, 0.5, 7, true);
  std::vector<Token> backwards = to_vector(split.training.view());
  std::reverse(backwards.begin(), backwards.end());
  CHECK(to_vector(reversed.training.view()) == backwards);
  CHECK_THROWS_AS(split_corpus(Corpus::from_documents(std::span(texts).first(1), VocabularyKind::bytes), 0.5, 0, false),
                  ArgumentError);
}

// The rule written out byte by byte: start value, exclusive or, prime; the count last.
TEST_CASE("the token hash is the same for every width and depends on order and length") {
  const std::vector<uint8_t> narrow = {1, 2};
  const std::vector<uint16_t> middle = {1, 2};
  const std::vector<uint32_t> wide = {1, 2};
  uint64_t expected = 1469598103934665603u;
  for (const uint64_t byte : {1, 0, 0, 0, 2, 0, 0, 0}) expected = (expected ^ byte) * 1099511628211u;
  expected = (expected ^ 2) * 1099511628211u;
  CHECK(token_hash(TokenView(std::span<const uint8_t>(narrow))) == expected);
  CHECK(token_hash(TokenView(std::span<const uint16_t>(middle))) == expected);
  CHECK(token_hash(TokenView(std::span<const uint32_t>(wide))) == expected);
}

}  // namespace
}  // namespace agpt
