#include "cpp/base/file_writer.h"

#include <fcntl.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstring>

#include "cpp/base/byte_image.h"
#include "cpp/base/error.h"

namespace agpt {

FileWriter::FileWriter(const std::string& path, const std::string& temporary_path, Flush flush)
    : path_(path), flush_(flush) {
  static std::atomic<uint64_t> n_writers{0};
  do {  // a killed process may have left the name of one with the same number
    temporary_path_ = temporary_path + ".tmp-" + std::to_string(::getpid()) + "-" + std::to_string(n_writers++);
    descriptor_ = ::open(temporary_path_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
  } while (descriptor_ < 0 && errno == EEXIST);
  if (descriptor_ < 0) fail();
}

FileWriter::~FileWriter() {
  if (descriptor_ < 0) return;
  ::close(descriptor_);
  ::unlink(temporary_path_.c_str());  // nothing to be done if even that fails
}

void FileWriter::fail() const { throw FormatError("cannot write '" + path_ + "': " + std::strerror(errno)); }

void FileWriter::write(std::span<const std::byte> bytes) {
  write_at(size_, bytes);
  size_ += bytes.size();
}

void FileWriter::write_at(size_t offset, std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::pwrite(descriptor_, bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) fail();
    bytes = bytes.subspan(static_cast<size_t>(written));
    offset += static_cast<size_t>(written);
  }
}

void FileWriter::commit() {
  if (flush_ == Flush::on_commit && ::fsync(descriptor_) != 0) fail();
  if (std::rename(temporary_path_.c_str(), path_.c_str()) != 0) fail();
  ::close(descriptor_);
  descriptor_ = -1;
}

std::string read_file(const std::string& path) {
  const ByteImage image = ByteImage::map_file(path);
  return {reinterpret_cast<const char*>(image.bytes().data()), image.bytes().size()};
}

}  // namespace agpt
