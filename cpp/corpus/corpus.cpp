#include "cpp/corpus/corpus.h"

#include <algorithm>

#include "cpp/base/error.h"

namespace agpt {
namespace {

constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";

void require_text_kind(VocabularyKind kind) {
  AGPT_REQUIRE(kind == VocabularyKind::characters || kind == VocabularyKind::bytes,
               "the engine reads a text as characters or bytes: with tokens of another kind, give it their ids");
}

// An upper bound on the tokens of `documents`, boundaries included.
Index count_tokens(std::span<const std::string_view> documents) {
  Index n = 0;
  for (const std::string_view document : documents) n += static_cast<Index>(document.size()) + 2;
  return n;
}

std::vector<std::string_view> split_lines(std::string_view text) {
  std::vector<std::string_view> lines;
  while (!text.empty()) {
    const size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (!line.empty()) lines.push_back(line);
  }
  return lines;
}

void require_inside(Index largest, Index size) {
  AGPT_REQUIRE(largest < size, "the token id " + std::to_string(largest) + " is outside the vocabulary of " +
                                   std::to_string(size) + " ids");
}

// The size of the vocabulary that `largest` belongs to.
Index vocabulary_size_for(Index largest, std::optional<Index> wanted) {
  const Index size = wanted.value_or(largest + 1);
  require_inside(largest, size);
  return size;
}

// 0 for no ids.
Token largest_id(std::span<const Token> ids) {
  const auto largest = std::max_element(ids.begin(), ids.end());
  return largest == ids.end() ? 0 : *largest;
}

}  // namespace

Corpus Corpus::encode_text(std::string_view text, VocabularyKind kind, std::string_view name) {
  Vocabulary vocabulary = Vocabulary::of_bytes(false);
  if (kind == VocabularyKind::characters) {
    CharacterSet set;
    set.add(text, name);
    vocabulary = Vocabulary::of_characters(set, false);
  }
  Corpus corpus(std::move(vocabulary), static_cast<Index>(text.size()));
  Index n = 0;
  corpus.vocabulary_.encode(text, [&](Token id) { corpus.tokens_.set(n++, id); });
  corpus.tokens_.shorten(n);
  return corpus;
}

Corpus Corpus::encode_documents(std::span<const std::string_view> documents, VocabularyKind kind,
                                std::string_view name) {
  Vocabulary vocabulary = Vocabulary::of_bytes(true);
  if (kind == VocabularyKind::characters) {
    CharacterSet set;
    for (const std::string_view document : documents) set.add(document, name);
    vocabulary = Vocabulary::of_characters(set, true);
  }
  Corpus corpus(std::move(vocabulary), count_tokens(documents));
  const Token boundary = *corpus.vocabulary_.boundary();
  Index n = 0;
  for (const std::string_view document : documents) {
    corpus.tokens_.set(n++, boundary);
    corpus.vocabulary_.encode(document, [&](Token id) { corpus.tokens_.set(n++, id); });
    corpus.tokens_.set(n++, boundary);
  }
  corpus.tokens_.shorten(n);
  return corpus;
}

Corpus Corpus::from_file(const std::string& path, VocabularyKind kind, bool documents) {
  require_text_kind(kind);
  const ByteImage file = ByteImage::map_file(path);
  std::string_view text(reinterpret_cast<const char*>(file.bytes().data()), file.bytes().size());
  const std::string name = "'" + path + "'";
  const bool has_mark = kind == VocabularyKind::characters && text.starts_with(kByteOrderMark);
  if (kind == VocabularyKind::characters && (documents || has_mark))
    CharacterSet().add(text, name);  // errors then count bytes in the whole file
  if (has_mark) text.remove_prefix(kByteOrderMark.size());
  if (text.empty()) throw FormatError(name + " is empty: there is nothing to build on");
  if (!documents) return encode_text(text, kind, name);
  const std::vector<std::string_view> lines = split_lines(text);
  if (lines.empty()) throw FormatError(name + " has only empty lines: there is no document in it");
  return encode_documents(lines, kind, name);
}

Corpus Corpus::from_text(std::string_view text, VocabularyKind kind) {
  require_text_kind(kind);
  AGPT_REQUIRE(!text.empty(), "the text is empty: there is nothing to build on");
  return encode_text(text, kind, "the text");
}

Corpus Corpus::from_documents(std::span<const std::string_view> documents, VocabularyKind kind) {
  require_text_kind(kind);
  AGPT_REQUIRE(!documents.empty(), "the list of documents is empty: there is nothing to build on");
  return encode_documents(documents, kind, "a document");
}

template <class Id>
Corpus Corpus::from_tokens(std::span<const Id> ids, std::optional<Index> vocabulary_size) {
  AGPT_REQUIRE(!ids.empty(), "the array of tokens is empty: there is nothing to build on");
  const auto [least, most] = std::minmax_element(ids.begin(), ids.end());
  AGPT_REQUIRE(std::cmp_greater_equal(*least, 0), "the token id " + std::to_string(*least) + " is negative");
  AGPT_REQUIRE(std::cmp_less(*most, Index{1} << 31),
               "the token id " + std::to_string(*most) + " is too large: ids must be less than 2^31");
  const Index size = vocabulary_size_for(static_cast<Index>(*most), vocabulary_size);
  Corpus corpus(Vocabulary::of_tokens(size, false), static_cast<Index>(ids.size()));
  for (size_t i = 0; i < ids.size(); ++i) corpus.tokens_.set(static_cast<Index>(i), static_cast<Token>(ids[i]));
  return corpus;
}

template Corpus Corpus::from_tokens(std::span<const int8_t>, std::optional<Index>);
template Corpus Corpus::from_tokens(std::span<const uint8_t>, std::optional<Index>);
template Corpus Corpus::from_tokens(std::span<const int16_t>, std::optional<Index>);
template Corpus Corpus::from_tokens(std::span<const uint16_t>, std::optional<Index>);
template Corpus Corpus::from_tokens(std::span<const int32_t>, std::optional<Index>);
template Corpus Corpus::from_tokens(std::span<const uint32_t>, std::optional<Index>);
template Corpus Corpus::from_tokens(std::span<const int64_t>, std::optional<Index>);
template Corpus Corpus::from_tokens(std::span<const uint64_t>, std::optional<Index>);

Corpus Corpus::from_token_documents(std::span<const std::vector<Token>> documents,
                                    std::optional<Index> vocabulary_size) {
  const std::vector<std::span<const Token>> spans(documents.begin(), documents.end());
  Token largest = 0;
  for (const std::span<const Token> document : spans) largest = std::max(largest, largest_id(document));
  return from_encoded_documents(spans, Vocabulary::of_tokens(vocabulary_size_for(largest, vocabulary_size), true));
}

Corpus Corpus::from_encoded(std::span<const Token> ids, Vocabulary vocabulary) {
  AGPT_REQUIRE(!ids.empty(), "the array of tokens is empty: there is nothing to build on");
  AGPT_REQUIRE(!vocabulary.boundary(), "a running text has no boundary between documents");
  require_inside(largest_id(ids), vocabulary.size());
  Corpus corpus(std::move(vocabulary), static_cast<Index>(ids.size()));
  Index n = 0;
  for (const Token id : ids) corpus.tokens_.set(n++, id);
  return corpus;
}

Corpus Corpus::from_encoded_documents(std::span<const std::span<const Token>> documents, Vocabulary vocabulary) {
  AGPT_REQUIRE(!documents.empty(), "the list of documents is empty: there is nothing to build on");
  AGPT_REQUIRE(vocabulary.boundary().has_value(), "documents need a vocabulary with a boundary");
  const Token boundary = *vocabulary.boundary();
  Index n_tokens = 0;
  for (const std::span<const Token> document : documents) {
    n_tokens += static_cast<Index>(document.size()) + 2;
    if (!document.empty()) require_inside(largest_id(document), boundary);
  }
  Corpus corpus(std::move(vocabulary), n_tokens);
  Index n = 0;
  for (const std::span<const Token> document : documents) {
    corpus.tokens_.set(n++, boundary);
    for (const Token id : document) corpus.tokens_.set(n++, id);
    corpus.tokens_.set(n++, boundary);
  }
  return corpus;
}

Index document_end(TokenView tokens, Token boundary, Index begin) {
  Index i = begin + 1;
  while (tokens[i] != boundary) ++i;
  return i + 1;
}

}  // namespace agpt
