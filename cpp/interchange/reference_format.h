// The constants of the reference builders' files and the order of their fields. All integers are little-endian and 32
// bits wide unless said otherwise. docs/reference_formats.md describes the formats.
#pragma once

#include <cstdint>
#include <cstdio>
#include <string>
#include <string_view>

#include "cpp/base/types.h"

namespace agpt {

inline constexpr uint32_t kLeveledMagic = 0x4C475041;  // "APGL"
inline constexpr uint32_t kRadixMagic = 0x52445841;    // "AXDR"
inline constexpr uint32_t kSingleMagic = 0x54475041;   // "APGT"
inline constexpr uint32_t kLeveledVersion = 1, kRadixVersion = 2, kSingleVersion = 2;

/// The only tokenizer that the formats know; every file is written under its name, whatever the ids stand for.
inline constexpr std::string_view kTokenizerTag = "char.sorted_unique.v1";

/// What a missing number is written as: the parent and the token of a root, a maximum that was not set.
inline constexpr uint32_t kNone = 0xFFFFFFFF;

inline constexpr const char* kMetaFile = "meta.bin";
inline constexpr const char* kManifestFile = "manifest.bin";

// Bytes of a file or record before its first part of varying length.
inline constexpr size_t kDepthHeaderBytes = 12, kSubtreeHeaderBytes = 28, kManifestHeaderBytes = 12;
inline constexpr size_t kManifestRowBytes = 20;
inline constexpr size_t kRadixRecordBytes = 24, kLeveledRecordBytes = 28, kSingleRecordBytes = 20;

/// Key of a bigram subtree: first and second token; for a root child with an edge of one token that is alone in its
/// file, 255 in place of the second.
inline constexpr uint32_t kNoSecondToken = 255;
inline constexpr uint32_t bigram_key(Token first, Token second) { return first * 256 + second; }

namespace reference_format_detail {
inline std::string numbered(const char* pattern, unsigned number) {
  char name[64];
  std::snprintf(name, sizeof name, pattern, number);
  return name;
}
}  // namespace reference_format_detail

inline std::string leveled_file_name(int depth) {
  return reference_format_detail::numbered("depth_%03u.bin", static_cast<unsigned>(depth));
}
inline std::string radix_file_name(int depth) {
  return reference_format_detail::numbered("radix_depth_%03u.bin", static_cast<unsigned>(depth));
}
inline std::string subtree_file_name(uint32_t key) {
  return reference_format_detail::numbered("subtrees/radix_subtree_%06u.bin", key);
}

}  // namespace agpt
