// A text as token ids with its vocabulary, either one running text or documents.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "cpp/base/types.h"
#include "cpp/corpus/token_array.h"
#include "cpp/corpus/vocabulary.h"

namespace agpt {

/// With documents, the tokens are boundary, document, boundary, boundary, document, boundary, ... : each has its own
/// two.
class Corpus {
 public:
  /// Reads a file of text; `kind` is characters or bytes. With documents each line is one: line ends are stripped,
  /// empty lines skipped. A byte order mark at the beginning is no character. Throws FormatError for a file that
  /// cannot be read, is empty, or is not UTF-8 where characters are wanted.
  static Corpus from_file(const std::string& path, VocabularyKind kind, bool documents);
  /// Throws ArgumentError for an empty text.
  static Corpus from_text(std::string_view text, VocabularyKind kind);
  static Corpus from_documents(std::span<const std::string_view> documents, VocabularyKind kind);
  /// Ids below `vocabulary_size` (default: the largest id + 1), of any integer type of 1 to 8 bytes. Throws
  /// ArgumentError for an id out of range.
  template <class Id>
  static Corpus from_tokens(std::span<const Id> ids, std::optional<Index> vocabulary_size);
  static Corpus from_token_documents(std::span<const std::vector<Token>> documents,
                                     std::optional<Index> vocabulary_size);
  /// Ids of `vocabulary`, which has no boundary. Throws ArgumentError for an id outside it, or if there is none.
  static Corpus from_encoded(std::span<const Token> ids, Vocabulary vocabulary);
  /// The same for documents of a vocabulary that has a boundary.
  static Corpus from_encoded_documents(std::span<const std::span<const Token>> documents, Vocabulary vocabulary);

  const Vocabulary& vocabulary() const { return vocabulary_; }
  TokenView tokens() const { return tokens_.view(); }
  Index n_tokens() const { return tokens_.size(); }
  bool has_documents() const { return vocabulary_.boundary().has_value(); }

 private:
  Corpus(Vocabulary vocabulary, Index n_tokens)
      : vocabulary_(std::move(vocabulary)), tokens_(n_tokens, token_bytes_for(vocabulary_.size())) {}

  static Corpus encode_text(std::string_view text, VocabularyKind kind, std::string_view name);
  static Corpus encode_documents(std::span<const std::string_view> documents, VocabularyKind kind,
                                 std::string_view name);

  Vocabulary vocabulary_;
  TokenArray tokens_;
};

/// Index one past the end of the document that begins at token `begin`: behind its second boundary.
Index document_end(TokenView tokens, Token boundary, Index begin);

}  // namespace agpt
