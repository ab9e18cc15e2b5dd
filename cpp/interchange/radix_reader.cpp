#include "cpp/interchange/radix_reader.h"

#include <algorithm>

#include "cpp/interchange/reference_format.h"

namespace agpt {
namespace {

constexpr uint32_t kLargest = 0x7FFFFFFF;  // numbers are signed
constexpr uint32_t kMostDepths = 1000;     // names of files have three digits

// Reads a record; `limit` is one past the largest id.
RadixView read_record(ByteReader& reader, Index limit, Index vocabulary_size) {
  const RadixView record(reader.take(16));
  reader.require(record.id() >= 1 && record.id() < limit, "an id is out of range");
  reader.require(record.parent() < record.id(), "a record comes before its parent");
  const uint32_t first_depth = load_u32(record.begin() + 8), edge_tokens = load_u32(record.begin() + 12);
  reader.require(first_depth >= 1 && first_depth < kMostDepths, "the depth of an edge is impossible");
  reader.require(edge_tokens >= 1 && edge_tokens < kMostDepths && edge_tokens <= reader.remaining() / 4,
                 "an edge's length is impossible");
  const std::byte* const edge = reader.take(4 * size_t{edge_tokens});
  for (size_t k = 0; k < edge_tokens; ++k)
    reader.require(load_u32(edge + 4 * k) < vocabulary_size, "a token is outside the vocabulary");
  const uint32_t mass = reader.u32();
  reader.require(mass >= 1 && mass <= kLargest, "a mass is not positive");
  skip_entries(reader, vocabulary_size);
  return record;
}

class RadixReader {
 public:
  explicit RadixReader(const ReferenceFiles& files) : files_(files) {}

  RadixTrie read() {
    read_meta();
    count_records();
    place_records();
    trie_.has_subtrees = files_.has(kManifestFile);
    if (trie_.has_subtrees) read_subtrees();
    return std::move(trie_);
  }

 private:
  void read_meta() {
    ByteReader reader = files_.read(kMetaFile);
    require_format(reader);
    n_ids_ = reader.u32();
    const uint32_t n_depths = reader.u32();
    const uint64_t edge_tokens = reader.u64();
    trie_.source = read_source(reader);
    reader.require_end();
    reader.require(n_ids_ >= 1 && n_ids_ <= kLargest, "the number of records is impossible");
    reader.require(n_depths >= 1 && n_depths <= kMostDepths, "the number of depths is impossible");
    trie_.depth = static_cast<int>(n_depths) - 1;
    trie_.edge_tokens = static_cast<Index>(edge_tokens);
  }

  void require_format(ByteReader& reader) const {
    reader.require(reader.u32() == kRadixMagic, "it is not a radix file");
    reader.require(reader.u32() == kRadixVersion, "its version is not 2");
  }

  // The files justify the memory for the table of records before there is any.
  void count_records() {
    Index n = 0;
    for (int depth = 0; depth <= trie_.depth; ++depth) {
      ByteReader reader = files_.read(radix_file_name(depth));
      n += read_depth_header(reader, depth);
    }
    if (n != n_ids_ - 1)
      throw FormatError(files_.name_of(kMetaFile) + " announces " + std::to_string(n_ids_ - 1) +
                        " records, but the files hold " + std::to_string(n));
    trie_.records.assign(static_cast<size_t>(n), RadixView(nullptr));
  }

  Index read_depth_header(ByteReader& reader, int depth) const {
    reader.require(reader.u32() == kRadixMagic, "it is not a radix file");
    reader.require(reader.u32() == static_cast<uint32_t>(depth), "it is of another depth than its name says");
    return read_count(reader, kRadixRecordBytes);
  }

  void place_records() {
    for (int depth = 0; depth <= trie_.depth; ++depth) {
      ByteReader reader = files_.read(radix_file_name(depth));
      for (Index left = read_depth_header(reader, depth); left > 0; --left) {
        const RadixView record = read_record(reader, n_ids_, trie_.source.vocabulary_size);
        reader.require(record.depth() == depth, "a record is of another depth than its file");
        RadixView& place = trie_.records[record.id() - 1];
        reader.require(place.begin() == nullptr, "an id occurs twice");
        place = record;
      }
      reader.require_end();
    }
  }

  void read_subtrees() {
    ByteReader reader = files_.read(kManifestFile);
    require_format(reader);
    for (Index left = read_count(reader, kManifestRowBytes); left > 0; --left) {
      const uint32_t key = reader.u32();
      reader.require(trie_.subtrees.empty() || key > trie_.subtrees.back().key, "its keys do not ascend");
      SubtreeView& subtree = trie_.subtrees.emplace_back(SubtreeView{key, {}, {}, {}});
      subtree.in_manifest = read_totals(reader);
      read_subtree(subtree);
    }
    reader.require_end();
    Index n_files = 0;
    for (const auto& [name, bytes] : files_.contents()) n_files += name.starts_with("subtrees/");
    reader.require(n_files == static_cast<Index>(trie_.subtrees.size()),
                   "it does not list as many subtrees as there are files");
  }

  static SubtreeView::Totals read_totals(ByteReader& reader) {
    const uint32_t n_records = reader.u32();
    const uint64_t edge_tokens = reader.u64();
    return {n_records, static_cast<Index>(edge_tokens), static_cast<int>(reader.u32())};
  }

  void read_subtree(SubtreeView& subtree) const {
    ByteReader reader = files_.read(subtree_file_name(subtree.key));
    require_format(reader);
    reader.require(reader.u32() == subtree.key, "its key is not that of its name");
    subtree.in_header = read_totals(reader);
    reader.require(static_cast<size_t>(subtree.in_header.n_records) <= reader.remaining() / kRadixRecordBytes,
                   "it says to hold more than its size allows");
    for (Index left = subtree.in_header.n_records; left > 0; --left)
      subtree.records.push_back(read_record(reader, n_ids_, trie_.source.vocabulary_size));
    reader.require_end();
  }

  const ReferenceFiles& files_;
  RadixTrie trie_;
  Index n_ids_ = 0;  // the root's included
};

}  // namespace

RadixTrie read_radix_trie(const ReferenceFiles& files) { return RadixReader(files).read(); }

}  // namespace agpt
