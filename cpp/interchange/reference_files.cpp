#include "cpp/interchange/reference_files.h"

#include <filesystem>

#include "cpp/interchange/reference_format.h"

namespace agpt {
namespace {

// Names, relative to `root`, of the files that may belong to a reference directory.
std::vector<std::string> files_below(const std::filesystem::path& root) {
  std::vector<std::string> names;
  for (const char* const folder : {"", "subtrees/"}) {
    std::error_code error;
    const std::filesystem::path path = root / folder;
    if (*folder != '\0' && !std::filesystem::exists(path, error)) continue;
    for (auto entry = std::filesystem::directory_iterator(path, error); !error && entry != end(entry);
         entry.increment(error))
      if (entry->path().extension() == ".bin") names.push_back(folder + entry->path().filename().string());
    if (error) throw FormatError("cannot read '" + path.string() + "': " + error.message());
  }
  return names;
}

}  // namespace

std::string to_string(ReferenceFormat format) {
  switch (format) {
    case ReferenceFormat::leveled:
      return "leveled";
    case ReferenceFormat::radix:
      return "radix";
    case ReferenceFormat::single:
      break;
  }
  return "single";
}

ReferenceFiles ReferenceFiles::open(const std::string& path) {
  ReferenceFiles files(path, {});
  std::error_code error;
  const bool is_folder = std::filesystem::is_directory(path, error);
  for (const std::string& name : is_folder ? files_below(path) : std::vector<std::string>{""}) {
    ByteImage image = ByteImage::map_file(is_folder ? path + "/" + name : path);
    files.contents_[name] = image.bytes();
    files.images_.push_back(std::move(image));
  }
  return files;
}

std::string ReferenceFiles::name_of(const std::string& file) const {
  return "'" + name_ + (file.empty() ? "" : "/") + file + "'";
}

ByteReader ReferenceFiles::read(const std::string& file) const {
  const auto found = contents_.find(file);
  if (found == contents_.end()) throw FormatError("cannot read " + name_of(file) + ": there is no such file");
  return {found->second, name_of(file)};
}

ReferenceFormat ReferenceFiles::format() const {
  const bool is_single = has("");
  ByteReader reader = read(is_single ? "" : kMetaFile);
  const uint32_t magic = reader.remaining() < sizeof(uint32_t) ? 0 : reader.u32();
  if (is_single && magic == kSingleMagic) return ReferenceFormat::single;
  if (!is_single && magic == kLeveledMagic) return ReferenceFormat::leveled;
  if (!is_single && magic == kRadixMagic) return ReferenceFormat::radix;
  throw FormatError(name_of(is_single ? "" : kMetaFile) + " is not of a reference builder");
}

}  // namespace agpt
