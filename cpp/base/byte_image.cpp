#include "cpp/base/byte_image.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstring>
#include <new>

#include "cpp/base/error.h"

namespace agpt {
namespace {

// Closes a file descriptor on every way out.
struct OpenFile {
  int descriptor;
  ~OpenFile() {
    if (descriptor >= 0) ::close(descriptor);
  }
};

[[noreturn]] void fail(const std::string& path) {
  throw FormatError("cannot read '" + path + "': " + std::strerror(errno));
}

}  // namespace

ByteImage ByteImage::map_file(const std::string& path) {
  const OpenFile file{::open(path.c_str(), O_RDONLY | O_CLOEXEC)};
  if (file.descriptor < 0) fail(path);
  struct stat status;
  if (::fstat(file.descriptor, &status) != 0) fail(path);
  if (!S_ISREG(status.st_mode)) throw FormatError("cannot read '" + path + "': it is not a regular file");
  ByteImage image;
  if (status.st_size == 0) return image;  // an empty mapping is an error
  const auto size = static_cast<size_t>(status.st_size);
  void* const data = ::mmap(nullptr, size, PROT_READ, MAP_SHARED, file.descriptor, 0);
  if (data == MAP_FAILED) fail(path);
  image.data_ = static_cast<std::byte*>(data);
  image.size_ = size;
  return image;
}

ByteImage ByteImage::allocate(size_t size, const std::string& purpose) {
  ByteImage image;
  if (size == 0) return image;
  image.reservation_ = MemoryReservation(size, purpose);
  void* const data = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (data == MAP_FAILED) throw std::bad_alloc();
  image.data_ = static_cast<std::byte*>(data);
  image.size_ = size;
  return image;
}

void ByteImage::discard(std::span<const std::byte> part) const {
  const auto page = static_cast<uintptr_t>(::sysconf(_SC_PAGESIZE));
  const auto begin = (reinterpret_cast<uintptr_t>(part.data()) + page - 1) / page * page;
  const auto end = reinterpret_cast<uintptr_t>(part.data() + part.size()) / page * page;
  if (begin < end) ::madvise(reinterpret_cast<void*>(begin), end - begin, MADV_DONTNEED);  // advice: it cannot fail
}

ByteImage::~ByteImage() {
  if (data_ != nullptr) ::munmap(data_, size_);
}

}  // namespace agpt
