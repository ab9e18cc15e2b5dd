// Images of bytes, files that show their name only when whole, checksums.
#include "cpp/base/byte_image.h"

#include <doctest/doctest.h>

#include <cstring>
#include <filesystem>

#include "cpp/base/checksum.h"
#include "cpp/base/error.h"
#include "cpp/base/file_writer.h"
#include "tests/cpp/temporary_files.h"

namespace agpt {
namespace {

std::span<const std::byte> bytes_of(const std::string& text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}

TEST_CASE("an allocated image is zeroed, aligned, and counts towards the memory cap") {
  const size_t before = memory_reserved();
  {
    ByteImage image = ByteImage::allocate(1000, "the test");
    CHECK(memory_reserved() == before + 1000);
    CHECK(reinterpret_cast<uintptr_t>(image.bytes().data()) % 64 == 0);
    for (const std::byte byte : image.bytes()) CHECK(byte == std::byte{0});
    const ByteImage moved = std::move(image);
    CHECK(moved.bytes().size() == 1000);
  }
  CHECK(memory_reserved() == before);
  CHECK(ByteImage::allocate(0, "the test").bytes().empty());
  set_memory_cap(before + 999);
  CHECK_THROWS_AS(ByteImage::allocate(1000, "the test"), MemoryCapError);
  set_memory_cap(0);
}

TEST_CASE("a committed file has its content, and nothing is left beside it") {
  const std::string path = temporary_path("committed");
  {
    FileWriter file(path);
    file.write(bytes_of("Hello, "));
    file.write(bytes_of("world"));
    file.write_at(0, bytes_of("J"));
    CHECK_FALSE(std::filesystem::exists(path));
    file.commit();
  }
  CHECK(read_file(path) == "Jello, world");
  CHECK(n_files_named_like(path) == 1);
  std::filesystem::remove(path);
}

TEST_CASE("a file that is not committed leaves the old one as it was") {
  const std::string path = temporary_path("abandoned");
  for (const char* text : {"old", "new"}) {
    FileWriter file(path);
    file.write(bytes_of(text));
    if (text[0] == 'o') file.commit();
  }
  CHECK(read_file(path) == "old");
  CHECK(n_files_named_like(path) == 1);
  std::filesystem::remove(path);
}

TEST_CASE("two writers of one name do not meet: the last to commit wins") {
  const std::string path = temporary_path("contended");
  FileWriter first(path), second(path);
  first.write(bytes_of("first"));
  second.write(bytes_of("second"));
  second.commit();
  first.commit();
  CHECK(read_file(path) == "first");
  CHECK(n_files_named_like(path) == 1);
  std::filesystem::remove(path);
}

TEST_CASE("files that cannot be read or written are format errors with the reason") {
  CHECK_THROWS_WITH_AS(FileWriter("/nonexistent-folder/x"),
                       "cannot write '/nonexistent-folder/x': No such file or directory", FormatError);
  CHECK_THROWS_WITH_AS(read_file("/nonexistent-file"), "cannot read '/nonexistent-file': No such file or directory",
                       FormatError);
  CHECK_THROWS_AS(read_file("/tmp"), FormatError);
}

TEST_CASE("any change of a byte changes the checksum, and so does the length") {
  for (const size_t size : {1, 7, 8, 31, 32, 33, 100}) {
    std::string text(size, 'x');
    const uint64_t before = checksum(bytes_of(text));
    CHECK(checksum(bytes_of(text + '\0')) != before);
    for (size_t i = 0; i < size; ++i)
      for (int bit = 0; bit < 8; ++bit) {
        text[i] = static_cast<char>(text[i] ^ (1 << bit));
        CHECK(checksum(bytes_of(text)) != before);
        text[i] = static_cast<char>(text[i] ^ (1 << bit));
      }
  }
  CHECK(checksum({}) != checksum(bytes_of(std::string(1, '\0'))));
}

}  // namespace
}  // namespace agpt
