// The bytes of an index file: a header and the columns behind it. docs/file_format.md tells what they mean.
#pragma once

#include <bit>
#include <cstdint>
#include <span>
#include <string>

#include "cpp/base/types.h"
#include "cpp/corpus/token_view.h"

namespace agpt {

static_assert(std::endian::native == std::endian::little, "index files are little-endian and used in place");

inline constexpr char kIndexMagic[8] = {'A', 'G', 'P', 'T', 'I', 'D', 'X', '\n'};
/// What stands in place of the magic until a file is finished.
inline constexpr char kIncompleteMagic[8] = {'A', 'G', 'P', 'T', 'P', 'A', 'R', 'T'};
inline constexpr uint32_t kIndexVersion = 1;

inline constexpr int kMaxDepth = 253;
inline constexpr Index kMaxTokens = Index{1} << 31;  // exclusive

/// The columns, in file order. Columns "token" have token_bytes bytes per element. A column of bytes with an overflow
/// holds 255 for "look it up": element numbers, ascending, in ..._overflow_at (u32), their values in ..._overflow
/// (u32).
enum class Column : uint32_t {
  tokens,           // token (n_tokens): the training text
  held_out,         // token (n_held_out)
  characters,       // UTF-8: the characters of the vocabulary in id order, or the JSON of its tokenizer
  position_counts,  // u64 (depth + 1): rows of each depth
  shared_counts,    // u64 (depth + 1): rows of each depth whose mass is more than 1
  node_counts,      // u64 (depth + 1): endpoints of each depth
  mass_counts,      // u64 (depth + 1): sum of the masses of the rows of each depth
  parent_depth,     // u8 (n_nodes + 1): depth of the parent; a 0 ends the column
  label,            // token (n_nodes): first token of the edge
  leaf_start,       // u32 (n_leaves): where the path of a leaf begins in the text
  blocks,           // IndexBlock (n_nodes / 64 + 1)
  size,             // u8 (interior nodes): nodes of the subtree, with overflow
  size_overflow_at,
  size_overflow,
  mass,  // u8 (interior nodes): mass of the endpoint, with overflow
  mass_overflow_at,
  mass_overflow,
  heavy_leaf,   // u32: number, among the leaves, of those with mass > 1
  heavy_begin,  // u32 (heavy leaves + 1): their targets in entry_token
  entry_token,  // token
  entry_count,  // u8, with overflow
  entry_count_overflow_at,
  entry_count_overflow,
  short_leaf_node,   // u32: leaves of less than full depth
  short_leaf_depth,  // u8
  childless_node,    // u32: one per target that no child stands for: its node
  childless_token,   // token: the target
  childless_count,   // u8, with overflow
  childless_count_overflow_at,
  childless_count_overflow,
  ended_node,   // u32: one per start that runs into the end of the text on this node's edge
  ended_depth,  // u8: the depth it reaches
  n_columns,
};
inline constexpr size_t kColumns = static_cast<size_t>(Column::n_columns);
/// As the list above has it.
const char* column_name(Column column);

/// Bytes of an element of a column.
size_t element_bytes(Column column, size_t token_bytes);
/// The columns that follow a column of bytes with an overflow.
constexpr Column overflow_at(Column column) { return static_cast<Column>(static_cast<uint32_t>(column) + 1); }
constexpr Column overflow_values(Column column) { return static_cast<Column>(static_cast<uint32_t>(column) + 2); }

/// Random access into the nodes: 64 of them.
struct IndexBlock {
  uint64_t leaf_bits;   // bit i: node 64 * block + i is a leaf
  uint64_t first_row;   // rows before the block
  uint32_t first_leaf;  // leaves before the block
  uint32_t padding;     // 0
};
static_assert(sizeof(IndexBlock) == 24);

struct IndexHeader {
  char magic[8];
  uint32_t version;
  uint32_t header_bytes;
  uint64_t file_bytes;
  uint64_t content_checksum;  // of all bytes behind the header, by blocks
  uint32_t token_bytes;
  uint32_t depth;
  uint32_t start_rule;
  uint32_t corpus_end;
  uint32_t reversed;
  uint32_t vocabulary_kind;
  uint64_t vocabulary_size;
  uint64_t boundary;  // id of the boundary token, kNoBoundary without documents
  uint64_t start_stride;
  uint64_t start_count;
  uint64_t start_offset;
  uint64_t prune_min_mass;
  uint64_t prune_min_depth;
  double val_fraction;
  uint64_t split_seed;
  uint64_t token_hash;
  uint64_t n_tokens;
  uint64_t n_held_out;
  uint64_t n_starts;
  uint64_t n_nodes;
  uint64_t n_leaves;
  uint64_t n_positions;
  uint64_t n_entries;
  uint64_t total_mass;
  uint64_t column_offset[kColumns];  // from the start of the file; a multiple of 64
  uint64_t column_bytes[kColumns];
  uint64_t header_checksum;  // of the header before this field
};
inline constexpr uint64_t kNoBoundary = ~uint64_t{0};

/// Where the first element of an ascending column is that is at least `value`; its size if none is.
size_t first_at_least(std::span<const uint32_t> ascending, Index value);

/// Small numbers in one byte each, larger ones in a sorted list.
struct OverflowView {
  std::span<const uint8_t> small;
  std::span<const uint32_t> at, value;

  uint32_t operator[](Index i) const {
    return small[static_cast<size_t>(i)] < 255 ? small[static_cast<size_t>(i)] : large(i);
  }

 private:
  uint32_t large(Index i) const;
};

/// The columns of an image as arrays.
struct IndexColumns {
  TokenView tokens, held_out, label, entry_token, childless_token;
  std::span<const char> characters;
  std::span<const uint64_t> position_counts, shared_counts, node_counts, mass_counts;
  std::span<const uint8_t> parent_depth, short_leaf_depth, ended_depth;
  std::span<const uint32_t> leaf_start, heavy_leaf, heavy_begin, short_leaf_node, childless_node, ended_node;
  std::span<const IndexBlock> blocks;
  OverflowView size, mass, entry_count, childless_count;
};

/// Reads and checks the header of `image`: every number that sizes or places a column is proved to fit. `name` says in
/// errors what was read. Throws FormatError.
IndexHeader read_index_header(std::span<const std::byte> image, const std::string& name);
/// The arrays of a header that read_index_header() returned.
IndexColumns index_columns(const IndexHeader& header, std::span<const std::byte> image);

/// Checksum of all bytes behind the header: of the checksums of each kChecksumBlock of them, so that they can be computed
/// in any order.
uint64_t content_checksum(std::span<const std::byte> image);
uint64_t content_checksum_of_blocks(std::span<const uint64_t> checksums);
inline constexpr size_t kChecksumBlock = size_t{1} << 20;  // bytes; the last block may be shorter
uint64_t header_checksum(const IndexHeader& header);

}  // namespace agpt
