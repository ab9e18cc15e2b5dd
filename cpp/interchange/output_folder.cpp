#include "cpp/interchange/output_folder.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>

#include "cpp/base/error.h"

namespace agpt {
namespace {

[[noreturn]] void fail(const std::string& path, const std::string& reason) {
  throw FormatError("cannot write '" + path + "': " + reason);
}

void create_folder(const std::string& path) {
  std::error_code error;
  std::filesystem::create_directories(path, error);
  if (error) fail(path, error.message());
}

}  // namespace

DiskFolder::DiskFolder(const std::string& path) : path_(path) {
  while (path_.size() > 1 && path_.ends_with('/')) path_.pop_back();
  AGPT_REQUIRE(!std::filesystem::exists(path_), "'" + path_ + "' exists already: remove it or name another folder");
  temporary_path_ = path_ + ".tmp";
  std::error_code error;
  std::filesystem::remove_all(temporary_path_, error);  // of an export that was killed
  std::filesystem::create_directory(temporary_path_, error);
  if (error) fail(path_, error.message());
}

DiskFolder::~DiskFolder() {
  std::error_code ignored;  // nothing to be done if even that fails
  if (!committed_) std::filesystem::remove_all(temporary_path_, ignored);
}

std::unique_ptr<OutputFile> DiskFolder::create(const std::string& name) {
  const std::string path = temporary_path_ + "/" + name;
  create_folder(std::filesystem::path(path).parent_path().string());
  return std::make_unique<DiskFile>(path, FileWriter::Flush::left_to_caller);
}

void DiskFolder::commit() {
  const int folder = ::open(temporary_path_.c_str(), O_RDONLY | O_CLOEXEC);
  if (folder < 0) fail(path_, std::strerror(errno));
  const int result = ::syncfs(folder);  // once for thousands of small files
  ::close(folder);
  if (result != 0) fail(path_, std::strerror(errno));
  std::error_code error;
  std::filesystem::rename(temporary_path_, path_, error);
  if (error) fail(path_, error.message());
  committed_ = true;
}

}  // namespace agpt
