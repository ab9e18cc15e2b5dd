// The bytes of a reference directory or file, by name, wherever they come from.
#pragma once

#include <map>
#include <span>
#include <string>
#include <vector>

#include "cpp/base/byte_image.h"
#include "cpp/interchange/byte_reader.h"

namespace agpt {

enum class ReferenceFormat { leveled, radix, single };
/// "leveled", "radix" or "single".
std::string to_string(ReferenceFormat format);

class ReferenceFiles {
 public:
  using Contents = std::map<std::string, std::span<const std::byte>>;

  /// Maps a folder (its files and those of its folder `subtrees`, if they end in .bin) or one file. Throws FormatError
  /// if it cannot be read.
  static ReferenceFiles open(const std::string& path);
  /// Bytes that belong to someone else; `name` says in errors what they are. A single file has the name "".
  ReferenceFiles(std::string name, Contents contents) : name_(std::move(name)), contents_(std::move(contents)) {}

  const Contents& contents() const { return contents_; }
  bool has(const std::string& file) const { return contents_.contains(file); }
  /// Throws FormatError if there is no such file.
  ByteReader read(const std::string& file) const;
  /// What `file` is called in errors.
  std::string name_of(const std::string& file) const;

  /// By the first number of meta.bin or of the single file. Throws FormatError for anything else.
  ReferenceFormat format() const;

 private:
  std::string name_;
  Contents contents_;
  std::vector<ByteImage> images_;
};

}  // namespace agpt
