// A folder beside the file that a build in several groups writes: a file for each group of parts that is finished, so
// that only one group has to be in memory and a build that was killed goes on where it stopped.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "cpp/trie/part_image.h"

namespace agpt {

class PartFolder {
 public:
  /// Creates `path`, or takes up what an earlier build left there. key: of everything that decides what the parts are.
  /// Throws FormatError if that fails or another process is at work there.
  PartFolder(std::string path, uint64_t key);
  /// Leaves the files for another attempt.
  ~PartFolder();
  PartFolder(const PartFolder&) = delete;
  PartFolder& operator=(const PartFolder&) = delete;

  /// Removes files that no build with this key can use; returns their number.
  int discard_foreign() const;
  /// Whether the parts of chunks first .. last - 1 are there, whole.
  bool contains(Index first, Index last) const;
  /// Throws FormatError if they are not.
  std::vector<PartImage> load(Index first, Index last) const;
  void save(Index first, Index last, const std::vector<PartImage>& parts) const;
  /// A name within the folder for a file that will be moved out of it.
  std::string unfinished_path() const { return path_ + "/unfinished"; }
  /// Removes the folder.
  void remove();

 private:
  struct Header;
  std::string file_of(Index first, Index last) const;
  bool is_ours(const std::string& file) const;

  std::string path_;
  uint64_t key_;
  int descriptor_ = -1;  // of the folder; locked
};

}  // namespace agpt
