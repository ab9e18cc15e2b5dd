// Puts the parts of an index together as the bytes of its file, in memory or straight on disk.
//
// Every byte behind the header is a function of its place in the file: any range can be produced alone, by any thread,
// in any order, and the whole file is never needed in memory.
#pragma once

#include <functional>
#include <vector>

#include "cpp/base/thread_pool.h"
#include "cpp/corpus/split.h"
#include "cpp/corpus/vocabulary.h"
#include "cpp/trie/part_image.h"

namespace agpt {

/// What an index file holds besides the trie.
struct IndexSource {
  const CorpusSplit& split;
  const Vocabulary& vocabulary;
  const IndexOptions& options;
  Index n_starts;
  uint64_t token_hash;  // of split.training
};

template <class Id>
class IndexAssembly {
 public:
  /// Called with the part of the work that is done, 0 .. 1.
  using Progress = std::function<void(double fraction)>;

  /// parts: in token order; emptied on the way. source must outlive this. Throws ArgumentError if there are 2^32 nodes
  /// or more.
  IndexAssembly(const IndexSource& source, std::vector<PartImage> parts, ThreadPool& pool);

  /// Bytes that an assembly of so many nodes keeps besides the parts.
  static size_t bytes_needed(uint64_t n_nodes) { return (n_nodes / 64 + 1) * sizeof(IndexBlock); }

  /// The bytes of the file. To be called once, or the next.
  ByteImage to_memory(const Progress& progress);
  /// Writes the file; its name only ever shows a whole one. temporary_path: begin of its name until then. Throws
  /// FormatError.
  void to_file(const std::string& path, const std::string& temporary_path, const Progress& progress);

 private:
  // How the elements of a column of the index follow from those of the parts.
  enum class Kind {
    values,    // the same, last first
    starts,    // the same
    numbers,   // counted from the last of the part: last_ - element, last first
    elsewhere  // not from the parts
  };
  static Kind kind_of(Column column);
  void describe_source();
  void number_parts();
  void sum_totals();
  void place_columns();
  void place(Column column, uint64_t bytes);
  void make_blocks();
  void make_blocks_of(size_t part, uint8_t next_parent_depth);

  void fill(uint64_t offset, std::span<std::byte> out) const;
  void fill_column(Column column, uint64_t offset, std::span<std::byte> out) const;
  template <class T>
  void fill_from_parts(Column column, uint64_t first, std::span<T> out) const;
  // Calls body(part, begin, end) for the parts that hold elements [first, first + n) of the column.
  template <class Body>
  void for_each_part(Column column, uint64_t first, uint64_t n, Body body) const;
  uint32_t last_number(Column column, size_t part) const;
  // Calls body(worker, offset, size) for each kChecksumBlock of the file behind the header; it returns the bytes.
  // Returns the checksum of them all.
  template <class Body>
  uint64_t for_each_block(const Progress& progress, Body body);
  void discard_before(uint64_t offset);

  uint64_t begin_of(Column column, size_t part) const { return begin_[static_cast<size_t>(column)][part]; }

  const IndexSource& source_;
  std::vector<PartImage> parts_;
  ThreadPool& pool_;
  std::string definition_;                 // of the vocabulary
  std::vector<uint64_t> totals_[4];        // rows, shared, nodes, mass by depth
  std::vector<uint64_t> begin_[kColumns];  // of each part's elements within the column; the last is their number
  std::vector<uint64_t> first_row_;        // of each part
  std::vector<IndexBlock> blocks_;
  MemoryReservation reserved_for_blocks_;
  uint32_t first_discardable_ = static_cast<uint32_t>(Column::parent_depth);
  IndexHeader header_{};
};

extern template class IndexAssembly<uint8_t>;
extern template class IndexAssembly<uint16_t>;
extern template class IndexAssembly<uint32_t>;

}  // namespace agpt
