#include "cpp/corpus/utf8.h"

#include <cstdio>

#include "cpp/base/error.h"

namespace agpt {
namespace {

[[noreturn]] void refuse(std::string_view text, size_t at, std::string_view name) {
  char byte[8];
  std::snprintf(byte, sizeof byte, "0x%02X", static_cast<unsigned char>(text[at]));
  throw FormatError(std::string(name) + " is not UTF-8: byte " + byte + " at offset " + std::to_string(at) +
                    " begins no character; convert it to UTF-8 or read it as bytes with --tokenizer byte");
}

}  // namespace

char32_t next_character(std::string_view text, size_t& at, std::string_view name) {
  const auto byte = [&](size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned lead = byte(at);
  if (lead < 0x80) {
    ++at;
    return lead;
  }
  const size_t length = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
  if (lead < 0xC2 || lead > 0xF4 || text.size() - at < length) refuse(text, at, name);
  char32_t character = lead & (0x7Fu >> length);
  for (size_t i = 1; i < length; ++i) {
    if ((byte(at + i) & 0xC0) != 0x80) refuse(text, at, name);
    character = character << 6 | (byte(at + i) & 0x3F);
  }
  const bool overlong = (length == 3 && character < 0x800) || (length == 4 && character < 0x10000);
  const bool surrogate = character >= 0xD800 && character < 0xE000;
  if (overlong || surrogate || character > 0x10FFFF) refuse(text, at, name);
  at += length;
  return character;
}

void append_utf8(char32_t character, std::string& text) {
  const auto tail = [&](int shift) { text += static_cast<char>(0x80 | ((character >> shift) & 0x3F)); };
  if (character < 0x80) {
    text += static_cast<char>(character);
  } else if (character < 0x800) {
    text += static_cast<char>(0xC0 | (character >> 6));
    tail(0);
  } else if (character < 0x10000) {
    text += static_cast<char>(0xE0 | (character >> 12));
    tail(6);
    tail(0);
  } else {
    text += static_cast<char>(0xF0 | (character >> 18));
    tail(12);
    tail(6);
    tail(0);
  }
}

std::string describe_character(char32_t character) {
  char code[16];
  std::snprintf(code, sizeof code, "U+%04X", static_cast<unsigned>(character));
  if (character < 0x20 || character == 0x7F) return code;
  std::string text = "'";
  append_utf8(character, text);
  return text + "' (" + code + ")";
}

}  // namespace agpt
