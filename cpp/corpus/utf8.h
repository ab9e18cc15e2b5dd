// Characters of UTF-8 text.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace agpt {

/// The character at `at`, which moves behind it. Throws FormatError, with the byte offset, if no character begins
/// there: `name` says what the text is ("the text", "'file.txt'").
char32_t next_character(std::string_view text, size_t& at, std::string_view name = "the text");

void append_utf8(char32_t character, std::string& text);

/// How an error names a character: 'e' (U+0065).
std::string describe_character(char32_t character);

}  // namespace agpt
