// The columns of a part of an index in one run of bytes, which may lie in memory or in a file.
#pragma once

#include <memory>
#include <vector>

#include "cpp/base/byte_image.h"
#include "cpp/trie/index_layout.h"
#include "cpp/trie/trie_part.h"

namespace agpt {

/// Read-only. The columns are those of an index from parent_depth on, without blocks, last element first but for
/// leaf_start; node and leaf numbers count from the last, targets from the end. The columns of totals by depth hold the
/// differences (depth + 2).
class PartImage {
 public:
  static constexpr uint32_t kVersion = 1;  // of the bytes

  /// Copies a part. Counts towards the memory cap.
  template <class Id>
  static PartImage copy(const TriePart<Id>& part);
  /// The part whose bytes() were written at `offset` of `bytes`, which is moved behind it. Throws FormatError if it does
  /// not fit; `name` says there what was read.
  static PartImage read(std::shared_ptr<const ByteImage> bytes, size_t& offset, const std::string& name);

  uint32_t n_suffixes() const { return header().n_suffixes; }
  uint32_t n_nodes() const { return header().n_nodes; }
  uint32_t n_leaves() const { return static_cast<uint32_t>(column<uint32_t>(Column::leaf_start).size()); }
  uint64_t n_entries() const { return header().n_entries; }
  /// See TriePart.
  uint32_t open_mass() const { return header().open_mass; }
  uint32_t open_start() const { return header().open_start; }
  template <class Id>
  std::span<const ChildlessTarget<Id>> open_childless() const {
    return array<ChildlessTarget<Id>>(kColumns);
  }

  template <class T>
  std::span<const T> column(Column column) const {
    return array<T>(static_cast<size_t>(column));
  }
  /// A multiple of 64.
  std::span<const std::byte> bytes() const { return bytes_; }
  /// Gives back the memory of a column that will not be read any more, as far as whole pages go.
  void discard(Column column);

 private:
  static constexpr size_t kPartColumns = kColumns + 1;  // the last is open_childless
  struct Header {
    uint64_t bytes;
    uint64_t n_entries;
    uint32_t n_nodes;
    uint32_t open_mass;
    uint32_t open_start;
    uint32_t n_suffixes;
    uint64_t offset[kPartColumns], size[kPartColumns];  // in bytes
  };
  struct Column_ {
    size_t number;
    const void* data;
    size_t bytes;
  };
  template <class Id>
  static std::vector<Column_> columns_of(const TriePart<Id>& part);

  PartImage(std::shared_ptr<const ByteImage> owner, std::span<const std::byte> bytes)
      : owner_(std::move(owner)), bytes_(bytes) {}
  const Header& header() const { return *reinterpret_cast<const Header*>(bytes_.data()); }
  template <class T>
  std::span<const T> array(size_t number) const {
    return {reinterpret_cast<const T*>(bytes_.data() + header().offset[number]), header().size[number] / sizeof(T)};
  }

  std::shared_ptr<const ByteImage> owner_;
  std::span<const std::byte> bytes_;
};

}  // namespace agpt
