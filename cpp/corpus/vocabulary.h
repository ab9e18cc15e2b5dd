// What the ids of a corpus stand for: characters, bytes, the tokens of a tokenizer, or nothing but themselves.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "cpp/base/types.h"
#include "cpp/corpus/utf8.h"

namespace agpt {

enum class VocabularyKind : uint32_t {
  characters,  ///< the distinct Unicode characters of a text in code point order; the id is the rank
  bytes,       ///< ids 0..255 are the bytes of a text
  tokens,      ///< ids that came from elsewhere; they cannot be turned into text
  tokenizer,   ///< ids of a tokenizer, kept as its JSON; a library outside the engine turns them into text
};

/// "char", "byte", "tokens" or "tokenizer".
std::string to_string(VocabularyKind kind);
/// Throws ArgumentError for any other text.
VocabularyKind parse_vocabulary_kind(const std::string& text);

/// Collects the distinct characters of texts.
class CharacterSet {
 public:
  /// Throws FormatError, with the byte offset, if the text is not UTF-8; `name` says there what it is.
  void add(std::string_view text, std::string_view name = "the text");

 private:
  friend class Vocabulary;
  std::vector<bool> seen_;  // by code point
};

/// Ids 0 .. size-1. With documents the last id is the boundary: it begins and ends each document and stands for no
/// text.
class Vocabulary {
 public:
  Vocabulary() = default;
  /// Throws ArgumentError for an empty set.
  static Vocabulary of_characters(const CharacterSet& set, bool with_boundary);
  static Vocabulary of_bytes(bool with_boundary);
  /// `size` is the number of ids without the boundary; with it, at most 2^31. Throws ArgumentError beyond that.
  static Vocabulary of_tokens(Index size, bool with_boundary);
  /// `size` is the number of ids without the boundary; `definition` is the tokenizer's JSON, which the engine only
  /// keeps. Throws ArgumentError if it is empty.
  static Vocabulary of_tokenizer(std::string definition, Index size, bool with_boundary);
  /// What kind(), definition(), size() and boundary() gave. Throws ArgumentError if they do not fit together.
  static Vocabulary from_parts(VocabularyKind kind, std::string_view definition, Index size,
                               std::optional<Token> boundary);

  VocabularyKind kind() const { return kind_; }
  /// All ids, the boundary included.
  Index size() const { return size_; }
  std::optional<Token> boundary() const { return boundary_; }
  /// The characters in id order, as UTF-8; empty for other kinds.
  std::string characters() const;
  /// What turns ids into text, as UTF-8: the characters in id order, or the tokenizer's JSON; empty for other kinds.
  std::string definition() const { return kind_ == VocabularyKind::tokenizer ? tokenizer_ : characters(); }

  /// Text to ids, without boundaries. Throws ArgumentError for a character that the vocabulary lacks, or if the engine
  /// knows no text of the kind; FormatError if a vocabulary of characters is given text that is not UTF-8.
  std::vector<Token> encode(std::string_view text) const;
  /// The same without the array: emit(id) for each.
  template <class Emit>
  void encode(std::string_view text, Emit emit) const {
    require_text();
    if (kind_ == VocabularyKind::bytes) {
      for (const char c : text) emit(static_cast<Token>(static_cast<unsigned char>(c)));
    } else {
      for (size_t at = 0; at < text.size();) emit(id_of(next_character(text, at)));
    }
  }

  /// Ids to text; boundaries vanish. Throws ArgumentError for an id outside the vocabulary, or if the kind has no text.
  std::string decode(std::span<const Token> ids) const;

  bool operator==(const Vocabulary& other) const {
    return kind_ == other.kind_ && size_ == other.size_ && boundary_ == other.boundary_ &&
           characters_ == other.characters_ && tokenizer_ == other.tokenizer_;
  }

 private:
  Vocabulary(VocabularyKind kind, Index size_of_text, bool with_boundary);
  Token id_of(char32_t character) const;
  void require_text() const;

  VocabularyKind kind_ = VocabularyKind::bytes;
  Index size_ = 256;
  std::optional<Token> boundary_;
  std::vector<char32_t> characters_;  // in id order
  std::vector<Token> id_of_ascii_;    // by character below 128
  std::unordered_map<char32_t, Token> id_of_other_;
  std::string tokenizer_;  // its JSON
};

}  // namespace agpt
