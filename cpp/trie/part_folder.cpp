#include "cpp/trie/part_folder.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>

#include "cpp/base/checksum.h"
#include "cpp/base/error.h"
#include "cpp/base/file_writer.h"

namespace agpt {
namespace {

constexpr char kMagic[8] = {'A', 'G', 'P', 'T', 'P', 'R', 'T', 'S'};
constexpr const char* kEnding = ".parts";

}  // namespace

struct PartFolder::Header {
  char magic[8];
  uint64_t key;
  uint64_t n_parts;
  uint64_t bytes;     // of the parts
  uint64_t checksum;  // of the parts, by blocks
  uint64_t header_checksum;
  uint64_t padding[2];

  uint64_t own_checksum() const {
    return agpt::checksum(std::as_bytes(std::span(this, 1)).first(offsetof(Header, header_checksum)));
  }
};

PartFolder::PartFolder(std::string path, uint64_t key) : path_(std::move(path)), key_(key) {
  std::error_code error;
  std::filesystem::create_directory(path_, error);
  if (!error) descriptor_ = ::open(path_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (descriptor_ < 0)
    throw FormatError("cannot write in the folder '" + path_ +
                      "': " + (error ? error.message() : std::strerror(errno)));
  if (::flock(descriptor_, LOCK_EX | LOCK_NB) == 0) return;
  ::close(descriptor_);
  throw FormatError("another process is building in the folder '" + path_ + "': wait for it or stop it");
}

PartFolder::~PartFolder() {
  if (descriptor_ >= 0) ::close(descriptor_);  // and with it the lock
}

std::string PartFolder::file_of(Index first, Index last) const {
  return path_ + "/" + std::to_string(first) + "-" + std::to_string(last) + kEnding;
}

bool PartFolder::is_ours(const std::string& file) const {
  try {
    const ByteImage image = ByteImage::map_file(file);
    const std::span<const std::byte> bytes = image.bytes();
    Header header;
    if (bytes.size() < sizeof header) return false;
    std::memcpy(&header, bytes.data(), sizeof header);
    return std::memcmp(header.magic, kMagic, sizeof kMagic) == 0 && header.header_checksum == header.own_checksum() &&
           header.key == key_ && header.bytes == bytes.size() - sizeof header &&
           header.checksum == checksum(bytes.subspan(sizeof header));
  } catch (const FormatError&) {
    return false;
  }
}

int PartFolder::discard_foreign() const {
  int n = 0;
  std::vector<std::filesystem::path> foreign;
  for (const auto& entry : std::filesystem::directory_iterator(path_)) {
    const std::string file = entry.path().string();
    if (!file.ends_with(kEnding) || !is_ours(file)) foreign.push_back(entry.path());
  }
  for (const auto& file : foreign) {
    n += file.string().ends_with(kEnding);
    std::filesystem::remove(file);
  }
  return n;
}

bool PartFolder::contains(Index first, Index last) const { return std::filesystem::exists(file_of(first, last)); }

std::vector<PartImage> PartFolder::load(Index first, Index last) const {
  const std::string file = file_of(first, last), name = "'" + file + "'";
  auto image = std::make_shared<const ByteImage>(ByteImage::map_file(file));
  Header header;
  if (image->bytes().size() < sizeof header) throw FormatError(name + " is damaged");
  std::memcpy(&header, image->bytes().data(), sizeof header);
  std::vector<PartImage> parts;
  size_t offset = sizeof header;
  for (uint64_t i = 0; i < header.n_parts; ++i) parts.push_back(PartImage::read(image, offset, name));
  if (offset != image->bytes().size()) throw FormatError(name + " is damaged");
  return parts;
}

void PartFolder::save(Index first, Index last, const std::vector<PartImage>& parts) const {
  Header header{};
  std::memcpy(header.magic, kMagic, sizeof kMagic);
  header.key = key_;
  header.n_parts = parts.size();
  RunningChecksum sum;
  for (const PartImage& part : parts) {
    header.bytes += part.bytes().size();
    sum.add(part.bytes());
  }
  header.checksum = sum.result();
  header.header_checksum = header.own_checksum();
  // Not flushed to the disk: a checksum tells what a machine that stopped has lost.
  const std::string path = file_of(first, last);
  FileWriter file(path, FileWriter::Flush::left_to_caller);
  file.write(std::as_bytes(std::span(&header, 1)));
  for (const PartImage& part : parts) file.write(part.bytes());
  file.commit();
}

void PartFolder::remove() {
  std::error_code ignored;  // what is left there does no harm
  std::filesystem::remove_all(path_, ignored);
}

}  // namespace agpt
