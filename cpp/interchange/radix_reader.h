// Reads radix directories of the reference builders without copying them: records stay where they are.
#pragma once

#include <vector>

#include "cpp/interchange/reference_files.h"
#include "cpp/interchange/reference_view.h"

namespace agpt {

/// One record of a radix file, checked to lie within it.
class RadixView {
 public:
  explicit RadixView(const std::byte* at) : at_(at) {}

  uint32_t id() const { return field(0); }
  uint32_t parent() const { return field(1); }  ///< an id below its own; 0: the root
  int first_depth() const { return static_cast<int>(field(2)); }
  int edge_tokens() const { return static_cast<int>(field(3)); }
  Token token(int k) const { return field(4 + static_cast<size_t>(k)); }
  int depth() const { return first_depth() + edge_tokens() - 1; }  ///< of the endpoint
  uint32_t mass() const { return field(4 + field(3)); }
  EntriesView entries() const { return {at_ + 4 * (6 + size_t{field(3)}), field(5 + field(3))}; }

  const std::byte* begin() const { return at_; }
  const std::byte* end() const { return entries().end(); }

 private:
  uint32_t field(size_t i) const { return load_u32(at_ + 4 * i); }
  const std::byte* at_;
};

/// A subtree file with its line in the manifest.
struct SubtreeView {
  struct Totals {
    Index n_records, edge_tokens;
    int deepest;
    bool operator==(const Totals&) const = default;
  };
  uint32_t key;
  Totals in_manifest, in_header;
  std::vector<RadixView> records;  // in the order of the file
};

struct RadixTrie {
  ReferenceSource source;
  Index edge_tokens = 0;           // in all, says meta.bin
  int depth = 0;                   // of the deepest endpoint
  std::vector<RadixView> records;  // record number i has id i + 1
  bool has_subtrees = false;
  std::vector<SubtreeView> subtrees;  // by key
};

/// The files must outlive the result. Throws FormatError unless all records are there, each in a file of its depth, with
/// ids from 1 on, each once and above their parents', with edges, tokens of the vocabulary and positive counts.
/// Whether they form a trie of some text is the business of verify_radix_trie(). Memory is 8 bytes a record.
RadixTrie read_radix_trie(const ReferenceFiles& files);

}  // namespace agpt
