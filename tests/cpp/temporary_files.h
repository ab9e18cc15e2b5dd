// Names of files that a test writes, and what it left behind.
#pragma once

#include <unistd.h>

#include <filesystem>
#include <string>

namespace agpt {

/// A path in the system's temporary folder that no other process uses.
inline std::string temporary_path(const std::string& name) {
  return (std::filesystem::temp_directory_path() / ("agpt_" + std::to_string(::getpid()) + "_" + name)).string();
}

/// How many files there are whose path begins with `path`, itself included.
inline int n_files_named_like(const std::string& path) {
  int n = 0;
  const std::filesystem::path whole = path;
  for (const auto& entry : std::filesystem::directory_iterator(whole.parent_path()))
    n += entry.path().filename().string().starts_with(whole.filename().string());
  return n;
}

}  // namespace agpt
