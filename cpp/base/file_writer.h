// Writes a file so that its name only ever shows a whole one: under a temporary name beside it, renamed when it is safe
// on disk.
#pragma once

#include <cstddef>
#include <span>
#include <string>

namespace agpt {

class FileWriter {
 public:
  /// Creates `path`.tmp. Throws FormatError if that fails; so do the other functions.
  explicit FileWriter(const std::string& path);
  /// Removes the temporary file unless commit() succeeded.
  ~FileWriter();
  FileWriter(const FileWriter&) = delete;
  FileWriter& operator=(const FileWriter&) = delete;

  /// Appends.
  void write(std::span<const std::byte> bytes);
  /// Replaces bytes that were written before.
  void write_at(size_t offset, std::span<const std::byte> bytes);
  /// Waits until the bytes are on disk and gives the file its name.
  void commit();

 private:
  [[noreturn]] void fail() const;

  std::string path_, temporary_path_;
  int descriptor_ = -1;
  size_t size_ = 0;
};

/// The whole content of a file. Throws FormatError if it cannot be read.
std::string read_file(const std::string& path);

}  // namespace agpt
