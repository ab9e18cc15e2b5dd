// What the ids of a corpus stand for: characters, bytes, or nothing but themselves.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "cpp/base/types.h"

namespace agpt {

enum class VocabularyKind : uint32_t {
  characters,  ///< the distinct Unicode characters of a text in code point order; the id is the rank
  bytes,       ///< ids 0..255 are the bytes of a text
  tokens,      ///< ids that came from elsewhere; they cannot be turned into text
};

std::string to_string(VocabularyKind kind);

/// Ids 0 .. size-1. With documents the last id is the boundary: it begins and ends each document and stands for no text.
class Vocabulary {
 public:
  Vocabulary() = default;
  /// The distinct characters of a UTF-8 text. Throws FormatError, with the byte offset, if it is not UTF-8.
  static Vocabulary of_characters(std::string_view text, bool with_boundary);
  static Vocabulary of_bytes(bool with_boundary);
  /// `size` is the number of ids without the boundary, 1 .. 2^31. Throws ArgumentError beyond that.
  static Vocabulary of_tokens(Index size, bool with_boundary);
  /// What kind(), characters(), size() and boundary() gave. Throws ArgumentError if they do not fit together.
  static Vocabulary from_parts(VocabularyKind kind, std::string_view characters, Index size, std::optional<Token> boundary);

  VocabularyKind kind() const { return kind_; }
  /// All ids, the boundary included.
  Index size() const { return size_; }
  std::optional<Token> boundary() const { return boundary_; }
  /// The characters in id order, as UTF-8; empty for other kinds.
  std::string characters() const;

  /// Text to ids, without boundaries. Throws ArgumentError for a character that the vocabulary lacks, or if the kind has no
  /// text; FormatError if a vocabulary of characters is given text that is not UTF-8.
  std::vector<Token> encode(std::string_view text) const;
  /// Ids to text; boundaries vanish. Throws ArgumentError for an id outside the vocabulary, or if the kind has no text.
  std::string decode(const std::vector<Token>& tokens) const;

  bool operator==(const Vocabulary& other) const;

 private:
  VocabularyKind kind_ = VocabularyKind::bytes;
  Index size_ = 256;
  std::optional<Token> boundary_;
  std::vector<char32_t> characters_;             // in id order
  std::unordered_map<char32_t, Token> id_of_;  // of characters from 128 on; the others are in the table
  std::vector<Token> id_of_ascii_;
};

}  // namespace agpt
