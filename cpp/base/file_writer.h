// Writes a file so that its name only ever shows a whole one: under a temporary name beside it, renamed when it is safe
// on disk.
#pragma once

#include <cstddef>
#include <span>
#include <string>

namespace agpt {

class FileWriter {
 public:
  /// Who waits until the bytes are on disk: commit(), or a caller that writes many files and waits once.
  enum class Flush { on_commit, left_to_caller };

  /// Creates a file beside `path` whose name no other writer uses: `path`.tmp-PROCESS-NUMBER. Throws FormatError if that
  /// fails; so do the other functions.
  explicit FileWriter(const std::string& path, Flush flush = Flush::on_commit) : FileWriter(path, path, flush) {}
  /// The same with a temporary name that begins with `temporary_path`, in the same file system.
  FileWriter(const std::string& path, const std::string& temporary_path, Flush flush = Flush::on_commit);
  /// Removes the temporary file unless commit() succeeded.
  ~FileWriter();
  FileWriter(const FileWriter&) = delete;
  FileWriter& operator=(const FileWriter&) = delete;

  /// Appends.
  void write(std::span<const std::byte> bytes);
  /// Replaces bytes that were written before.
  void write_at(size_t offset, std::span<const std::byte> bytes);
  /// Waits until the bytes are on disk, if that is its job, and gives the file its name.
  void commit();

 private:
  [[noreturn]] void fail() const;

  std::string path_, temporary_path_;
  Flush flush_;
  int descriptor_ = -1;
  size_t size_ = 0;
};

/// The whole content of a file. Throws FormatError if it cannot be read.
std::string read_file(const std::string& path);

}  // namespace agpt
