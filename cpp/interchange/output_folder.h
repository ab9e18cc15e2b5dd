// Where exported files go: a folder on disk that appears whole or not at all, or whatever else takes files and bytes.
#pragma once

#include <cstring>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "cpp/base/file_writer.h"

namespace agpt {

/// Bytes that are written from front to back.
class OutputFile {
 public:
  virtual ~OutputFile() = default;
  virtual void write(std::span<const std::byte> bytes) = 0;
  /// Says that the file is whole.
  virtual void close() = 0;
};

class OutputFolder {
 public:
  virtual ~OutputFolder() = default;
  /// `name` may have one folder in front.
  virtual std::unique_ptr<OutputFile> create(const std::string& name) = 0;
};

/// A folder that is written under a temporary name beside its own and renamed by commit().
class DiskFolder : public OutputFolder {
 public:
  /// Throws ArgumentError if `path` exists, FormatError if its place cannot be written to; so do the other functions.
  explicit DiskFolder(const std::string& path);
  /// Removes what was written unless commit() succeeded.
  ~DiskFolder() override;
  std::unique_ptr<OutputFile> create(const std::string& name) override;
  /// Waits until all files are on disk and gives the folder its name.
  void commit();

 private:
  std::string path_, temporary_path_;
  bool committed_ = false;
};

/// One file on disk, which appears whole or not at all.
class DiskFile : public OutputFile {
 public:
  explicit DiskFile(const std::string& path, FileWriter::Flush flush = FileWriter::Flush::on_commit)
      : file_(path, flush) {}
  void write(std::span<const std::byte> bytes) override { file_.write(bytes); }
  void close() override { file_.commit(); }

 private:
  FileWriter file_;
};

/// Numbers into an output file, little-endian, through a buffer.
class RecordWriter {
 public:
  explicit RecordWriter(std::unique_ptr<OutputFile> file) : file_(std::move(file)) { buffer_.reserve(kBufferBytes); }

  void put_u32(uint32_t number) { put(&number, sizeof number); }
  void put_u64(uint64_t number) { put(&number, sizeof number); }
  /// The length as a 32-bit number, then the bytes.
  void put_text(std::string_view text) {
    put_u32(static_cast<uint32_t>(text.size()));
    put(text.data(), text.size());
  }
  /// Must be called at the end: the destructor drops what is in the buffer.
  void close() {
    flush();
    file_->close();
  }

 private:
  static constexpr size_t kBufferBytes = size_t{1} << 16;

  void put(const void* data, size_t size) {
    if (buffer_.size() + size > kBufferBytes) flush();
    const size_t at = buffer_.size();
    buffer_.resize(at + size);
    std::memcpy(buffer_.data() + at, data, size);
  }
  void flush() {
    file_->write(buffer_);
    buffer_.clear();
  }

  std::unique_ptr<OutputFile> file_;
  std::vector<std::byte> buffer_;
};

}  // namespace agpt
