// Where the tests look for tinyshakespeare.
#pragma once

#include <cstdlib>
#include <filesystem>

namespace agpt {

/// In the folder AGPT_TEST_DATA, or in ../shared/data beside the repository; the file may be missing.
inline std::filesystem::path text_path() {
  const char* const folder = std::getenv("AGPT_TEST_DATA");
  const auto root = std::filesystem::path(__FILE__).parent_path().parent_path().parent_path();
  return (folder != nullptr ? std::filesystem::path(folder) : root.parent_path() / "shared/data") /
         "tinyshakespeare.txt";
}

}  // namespace agpt
