#include "cpp/corpus/vocabulary.h"

#include <algorithm>

#include "cpp/base/error.h"
#include "cpp/corpus/utf8.h"

namespace agpt {
namespace {

constexpr Index kMaxSize = Index{1} << 31;
constexpr size_t kAscii = 128;
constexpr Token kUnknown = ~Token{0};

}  // namespace

std::string to_string(VocabularyKind kind) {
  switch (kind) {
    case VocabularyKind::characters:
      return "char";
    case VocabularyKind::bytes:
      return "byte";
    case VocabularyKind::tokens:
      return "tokens";
    case VocabularyKind::tokenizer:
      break;
  }
  return "tokenizer";
}

VocabularyKind parse_vocabulary_kind(const std::string& text) {
  for (const auto kind :
       {VocabularyKind::characters, VocabularyKind::bytes, VocabularyKind::tokens, VocabularyKind::tokenizer})
    if (text == to_string(kind)) return kind;
  throw ArgumentError("there is no tokenizer '" + text + "': choose char, byte or a tokenizer's file, NAME.json");
}

void CharacterSet::add(std::string_view text, std::string_view name) {
  for (size_t at = 0; at < text.size();) {
    const char32_t character = next_character(text, at, name);
    if (character >= seen_.size()) seen_.resize(character + 1);
    seen_[character] = true;
  }
}

Vocabulary::Vocabulary(VocabularyKind kind, Index size_of_text, bool with_boundary) : kind_(kind), size_(size_of_text) {
  if (with_boundary) boundary_ = static_cast<Token>(size_++);
  AGPT_REQUIRE(size_ >= 1 && size_ <= kMaxSize,
               "a vocabulary of " + std::to_string(size_) + " ids is out of range: it must have from 1 to 2^31");
}

Vocabulary Vocabulary::of_characters(const CharacterSet& set, bool with_boundary) {
  std::vector<char32_t> characters;
  for (char32_t c = 0; c < set.seen_.size(); ++c)
    if (set.seen_[c]) characters.push_back(c);
  Vocabulary vocabulary(VocabularyKind::characters, static_cast<Index>(characters.size()), with_boundary);
  vocabulary.id_of_ascii_.assign(kAscii, kUnknown);
  for (size_t id = 0; id < characters.size(); ++id) {
    if (characters[id] < kAscii) {
      vocabulary.id_of_ascii_[characters[id]] = static_cast<Token>(id);
    } else {
      vocabulary.id_of_other_[characters[id]] = static_cast<Token>(id);
    }
  }
  vocabulary.characters_ = std::move(characters);
  return vocabulary;
}

Vocabulary Vocabulary::of_bytes(bool with_boundary) { return {VocabularyKind::bytes, 256, with_boundary}; }

Vocabulary Vocabulary::of_tokens(Index size, bool with_boundary) {
  return {VocabularyKind::tokens, size, with_boundary};
}

Vocabulary Vocabulary::of_tokenizer(std::string definition, Index size, bool with_boundary) {
  AGPT_REQUIRE(!definition.empty(), "a vocabulary of kind 'tokenizer' needs the JSON of its tokenizer");
  Vocabulary vocabulary(VocabularyKind::tokenizer, size, with_boundary);
  vocabulary.tokenizer_ = std::move(definition);
  return vocabulary;
}

Vocabulary Vocabulary::from_parts(VocabularyKind kind, std::string_view definition, Index size,
                                  std::optional<Token> boundary) {
  AGPT_REQUIRE(size >= 1 && size <= kMaxSize,
               "a vocabulary of " + std::to_string(size) + " ids is out of range: it must have from 1 to 2^31");
  AGPT_REQUIRE(!boundary || *boundary == size - 1, "the boundary of a vocabulary is its last id");
  const Index size_of_text = boundary ? size - 1 : size;
  Vocabulary vocabulary;
  switch (kind) {
    case VocabularyKind::characters: {
      CharacterSet set;
      set.add(definition, "the list of characters");
      vocabulary = of_characters(set, boundary.has_value());
      AGPT_REQUIRE(vocabulary.characters() == definition, "the characters of a vocabulary must be distinct and sorted");
      break;
    }
    case VocabularyKind::bytes:
      vocabulary = of_bytes(boundary.has_value());
      break;
    case VocabularyKind::tokens:
      vocabulary = of_tokens(size_of_text, boundary.has_value());
      break;
    case VocabularyKind::tokenizer:
      vocabulary = of_tokenizer(std::string(definition), size_of_text, boundary.has_value());
      break;
  }
  AGPT_REQUIRE(vocabulary.size() == size, "a vocabulary of kind '" + to_string(kind) + "' has " +
                                              std::to_string(vocabulary.size()) + " ids, not " + std::to_string(size));
  AGPT_REQUIRE(vocabulary.definition() == definition,
               "a vocabulary of kind '" + to_string(kind) + "' has no characters and no tokenizer");
  return vocabulary;
}

std::string Vocabulary::characters() const {
  std::string text;
  for (const char32_t character : characters_) append_utf8(character, text);
  return text;
}

Token Vocabulary::id_of(char32_t character) const {
  Token id = kUnknown;
  if (character < kAscii) {
    id = id_of_ascii_[character];
  } else if (const auto found = id_of_other_.find(character); found != id_of_other_.end()) {
    id = found->second;
  }
  AGPT_REQUIRE(id != kUnknown, "the character " + describe_character(character) + " is not in the vocabulary of " +
                                   std::to_string(characters_.size()) + " characters");
  return id;
}

void Vocabulary::require_text() const {
  AGPT_REQUIRE(kind_ != VocabularyKind::tokenizer,
               "the engine only keeps the tokenizer of this vocabulary: encode and decode with its library");
  AGPT_REQUIRE(
      kind_ != VocabularyKind::tokens,
      "the vocabulary is of token ids without a tokenizer: encode and decode text outside, with the tokenizer that "
      "made the ids");
}

std::vector<Token> Vocabulary::encode(std::string_view text) const {
  std::vector<Token> ids;
  ids.reserve(text.size());
  encode(text, [&](Token id) { ids.push_back(id); });
  return ids;
}

std::string Vocabulary::decode(std::span<const Token> ids) const {
  require_text();
  std::string text;
  for (const Token id : ids) {
    AGPT_REQUIRE(id < size_, "the id " + std::to_string(id) + " is not in the vocabulary of " + std::to_string(size_));
    if (id == boundary_) continue;
    if (kind_ == VocabularyKind::bytes) {
      text += static_cast<char>(id);
    } else {
      append_utf8(characters_[id], text);
    }
  }
  return text;
}

}  // namespace agpt
