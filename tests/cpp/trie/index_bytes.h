// The bytes of an index as a string that tests may change, with checksums that can be made right again.
#pragma once

#include <algorithm>
#include <cstring>
#include <span>
#include <string>

#include "cpp/trie/trie_index.h"

namespace agpt {

inline std::string bytes_of(const TrieIndex& index) {
  return {reinterpret_cast<const char*>(index.bytes().data()), index.bytes().size()};
}

inline TrieIndex read_index(const std::string& bytes) {
  ByteImage image = ByteImage::allocate(bytes.size(), "the test");
  std::ranges::copy(std::as_bytes(std::span(bytes)), image.writable().begin());
  return TrieIndex::read(std::move(image), "the index");
}

inline IndexHeader header_of(const std::string& bytes) {
  IndexHeader header;
  std::memcpy(&header, bytes.data(), sizeof header);
  return header;
}

/// So that what was changed is found for what it means. bytes: at least a header.
inline std::string with_right_checksums(std::string bytes) {
  IndexHeader header = header_of(bytes);
  header.content_checksum = content_checksum(std::as_bytes(std::span(bytes.data(), bytes.size())));
  header.header_checksum = header_checksum(header);
  std::memcpy(bytes.data(), &header, sizeof header);
  return bytes;
}

}  // namespace agpt
