// Reads the reference formats that have one record for each distinct path: leveled directories and single files.
#pragma once

#include <vector>

#include "cpp/interchange/reference_files.h"
#include "cpp/interchange/reference_view.h"

namespace agpt {

/// The node of one path, in the bytes of a file.
class PathView {
 public:
  explicit PathView(const std::byte* at, size_t header_bytes) : at_(at), header_bytes_(header_bytes) {}

  uint32_t parent() const { return load_u32(at_ + 4); }  ///< an id below its own
  Token token() const { return load_u32(at_ + 8); }
  int depth() const { return static_cast<int>(load_u32(at_ + 12)); }
  /// What follows the path; empty if that is only the end of the text.
  EntriesView entries() const { return {at_ + header_bytes_, load_u32(at_ + header_bytes_ - 4)}; }

 private:
  const std::byte* at_;
  size_t header_bytes_;
};

struct PathTrie {
  ReferenceFormat format = ReferenceFormat::leveled;
  ReferenceSource source;
  int max_depth = 0;       // as asked for; -1: none
  Index max_starts = -1;   // as asked for; -1: none
  Index start_offset = 0;  // as asked for
  Index n_starts = 0;      // used
  int depth = 0;           // of the deepest node
  size_t header_bytes = 0;
  std::vector<const std::byte*> nodes;  // by id, from the root, 0

  PathView node(size_t id) const { return PathView(nodes[id], header_bytes); }
  /// Depth that paths were cut at.
  int cap() const { return max_depth > 0 ? max_depth : depth; }
};

/// The files must outlive the result. Throws FormatError unless all records are there, with ids from 0 on, each once, one
/// level below a parent with a smaller id, with tokens of the vocabulary and positive counts. Memory is 8 bytes a node.
PathTrie read_path_trie(const ReferenceFiles& files);

}  // namespace agpt
