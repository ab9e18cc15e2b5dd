#include "cpp/trie/index_layout.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <limits>
#include <vector>

#include "cpp/base/checksum.h"
#include "cpp/base/error.h"
#include "cpp/corpus/vocabulary.h"
#include "cpp/trie/index_options.h"

namespace agpt {
namespace {

constexpr const char* kBuildAgain = ": build it again with agpt-build";

bool has_magic(std::span<const std::byte> image, const char (&magic)[8]) {
  return image.size() >= sizeof magic && std::memcmp(image.data(), magic, sizeof magic) == 0;
}

uint64_t n_elements(const IndexHeader& header, Column column) {
  return header.column_bytes[static_cast<size_t>(column)] / element_bytes(column, header.token_bytes);
}

// Options that the builder would take, with those that the rule does not read at their defaults.
bool options_are_valid(const IndexHeader& h) {
  const auto rule = static_cast<Starts::Rule>(h.start_rule);
  const bool has_documents = h.boundary != kNoBoundary, strides = rule == Starts::Rule::stride,
             spreads = rule == Starts::Rule::max, imported = rule == Starts::Rule::imported;
  constexpr uint64_t kMaxIndex = std::numeric_limits<Index>::max(), kMaxInt = std::numeric_limits<int>::max();
  return h.start_rule <= static_cast<uint32_t>(Starts::Rule::imported) &&
         (has_documents ? !strides && !spreads && !imported : rule != Starts::Rule::documents) &&
         (strides ? h.start_stride >= 1 && h.start_stride <= kMaxIndex : h.start_stride == 1) &&
         (spreads ? h.start_count >= 1 && h.start_count <= kMaxIndex && h.start_offset <= kMaxIndex
                  : h.start_offset == 0 &&
                        (imported ? h.start_count < static_cast<uint64_t>(kMaxTokens) : h.start_count == 0)) &&
         h.corpus_end <= static_cast<uint32_t>(CorpusEnd::reference) &&
         (!has_documents || h.corpus_end == static_cast<uint32_t>(CorpusEnd::exact)) && h.reversed <= 1 &&
         h.prune_min_mass >= 1 && h.prune_min_mass <= kMaxIndex && h.prune_min_depth >= 1 &&
         h.prune_min_depth <= kMaxInt && h.val_fraction >= 0 && h.val_fraction < 1;
}

bool scalars_are_valid(const IndexHeader& h) {
  const uint64_t max_tokens = static_cast<uint64_t>(kMaxTokens), max_nodes = uint64_t{1} << 32;
  const bool is_imported = h.start_rule == static_cast<uint32_t>(Starts::Rule::imported);
  const uint64_t n_source_tokens = is_imported ? h.start_count : h.n_tokens;
  return options_are_valid(h) && h.depth >= 1 && h.depth <= kMaxDepth && h.vocabulary_size >= 1 &&
         h.vocabulary_size <= max_tokens &&
         h.token_bytes == static_cast<uint32_t>(token_bytes_for(static_cast<Index>(h.vocabulary_size))) &&
         (h.boundary == kNoBoundary || h.boundary == h.vocabulary_size - 1) &&
         h.vocabulary_kind <= static_cast<uint32_t>(VocabularyKind::tokenizer) && h.n_tokens >= 2 &&
         h.n_tokens < max_tokens && h.n_held_out < max_tokens && h.n_starts <= n_source_tokens &&
         h.n_nodes < max_nodes && h.n_leaves <= h.n_nodes && h.n_leaves <= h.n_starts;
}

// Each column is at the first multiple of 64 behind the one before, and the last ends the file.
bool columns_fill_the_file(const IndexHeader& h) {
  uint64_t end = sizeof(IndexHeader);
  for (size_t c = 0; c < kColumns; ++c) {
    const uint64_t offset = h.column_offset[c], bytes = h.column_bytes[c];
    if (offset != (end + 63) / 64 * 64 || offset > h.file_bytes || bytes > h.file_bytes - offset) return false;
    if (bytes % element_bytes(static_cast<Column>(c), h.token_bytes) != 0) return false;
    end = offset + bytes;
  }
  return end == h.file_bytes;
}

bool columns_fit_together(const IndexHeader& h) {
  const auto n = [&](Column column) { return n_elements(h, column); };
  const uint64_t n_interior = h.n_nodes - h.n_leaves, n_depths = h.depth + 1;
  return n(Column::tokens) == h.n_tokens && n(Column::held_out) == h.n_held_out &&
         n(Column::position_counts) == n_depths && n(Column::shared_counts) == n_depths &&
         n(Column::node_counts) == n_depths && n(Column::mass_counts) == n_depths &&
         n(Column::parent_depth) == h.n_nodes + 1 && n(Column::label) == h.n_nodes &&
         n(Column::leaf_start) == h.n_leaves && n(Column::blocks) == h.n_nodes / 64 + 1 &&
         n(Column::size) == n_interior && n(Column::size_overflow_at) == n(Column::size_overflow) &&
         n(Column::mass) == n_interior && n(Column::mass_overflow_at) == n(Column::mass_overflow) &&
         n(Column::heavy_begin) == n(Column::heavy_leaf) + 1 && n(Column::entry_count) == n(Column::entry_token) &&
         n(Column::entry_count_overflow_at) == n(Column::entry_count_overflow) &&
         n(Column::short_leaf_node) == n(Column::short_leaf_depth) &&
         n(Column::childless_node) == n(Column::childless_token) &&
         n(Column::childless_node) == n(Column::childless_count) &&
         n(Column::childless_count_overflow_at) == n(Column::childless_count_overflow) &&
         n(Column::ended_node) == n(Column::ended_depth);
}

}  // namespace

const char* column_name(Column column) {
  static constexpr std::array<const char*, kColumns> kNames = {"tokens",
                                                               "held_out",
                                                               "characters",
                                                               "position_counts",
                                                               "shared_counts",
                                                               "node_counts",
                                                               "mass_counts",
                                                               "parent_depth",
                                                               "label",
                                                               "leaf_start",
                                                               "blocks",
                                                               "size",
                                                               "size_overflow_at",
                                                               "size_overflow",
                                                               "mass",
                                                               "mass_overflow_at",
                                                               "mass_overflow",
                                                               "heavy_leaf",
                                                               "heavy_begin",
                                                               "entry_token",
                                                               "entry_count",
                                                               "entry_count_overflow_at",
                                                               "entry_count_overflow",
                                                               "short_leaf_node",
                                                               "short_leaf_depth",
                                                               "childless_node",
                                                               "childless_token",
                                                               "childless_count",
                                                               "childless_count_overflow_at",
                                                               "childless_count_overflow",
                                                               "ended_node",
                                                               "ended_depth"};
  return kNames[static_cast<size_t>(column)];
}

size_t element_bytes(Column column, size_t token_bytes) {
  switch (column) {
    case Column::tokens:
    case Column::held_out:
    case Column::label:
    case Column::entry_token:
    case Column::childless_token:
      return token_bytes;
    case Column::characters:
    case Column::parent_depth:
    case Column::size:
    case Column::mass:
    case Column::entry_count:
    case Column::short_leaf_depth:
    case Column::childless_count:
    case Column::ended_depth:
      return 1;
    case Column::position_counts:
    case Column::shared_counts:
    case Column::node_counts:
    case Column::mass_counts:
      return sizeof(uint64_t);
    case Column::blocks:
      return sizeof(IndexBlock);
    default:
      return sizeof(uint32_t);
  }
}

size_t first_at_least(std::span<const uint32_t> ascending, Index value) {
  return static_cast<size_t>(std::lower_bound(ascending.begin(), ascending.end(), value) - ascending.begin());
}

uint32_t OverflowView::large(Index i) const { return value[first_at_least(at, i)]; }

uint64_t content_checksum(std::span<const std::byte> image) {
  std::vector<uint64_t> blocks;
  for (size_t begin = sizeof(IndexHeader); begin < image.size(); begin += kChecksumBlock)
    blocks.push_back(checksum(image.subspan(begin, std::min(kChecksumBlock, image.size() - begin))));
  return content_checksum_of_blocks(blocks);
}

uint64_t content_checksum_of_blocks(std::span<const uint64_t> checksums) { return checksum(std::as_bytes(checksums)); }

uint64_t header_checksum(const IndexHeader& header) {
  return checksum(std::as_bytes(std::span(&header, 1)).first(offsetof(IndexHeader, header_checksum)));
}

IndexHeader read_index_header(std::span<const std::byte> image, const std::string& name) {
  if (has_magic(image, kIncompleteMagic))
    throw FormatError(name + " was not finished when it was written" + kBuildAgain);
  if (!has_magic(image, kIndexMagic)) throw FormatError(name + " is not an agpt index");
  IndexHeader header;
  const std::string truncated = name + " is truncated: it has " + std::to_string(image.size()) + " bytes";
  constexpr size_t kVersionEnd = offsetof(IndexHeader, version) + sizeof header.version;
  if (image.size() < kVersionEnd) throw FormatError(truncated + kBuildAgain);
  std::memcpy(&header, image.data(), kVersionEnd);
  if (header.version != kIndexVersion)
    throw FormatError(name + " has format " + std::to_string(header.version) + ", but this agpt reads format " +
                      std::to_string(kIndexVersion) + kBuildAgain);
  if (image.size() < sizeof header) throw FormatError(truncated + kBuildAgain);
  std::memcpy(&header, image.data(), sizeof header);
  if (header.header_checksum != header_checksum(header))
    throw FormatError(name + " is damaged: the checksum of its header is wrong" + kBuildAgain);
  if (header.file_bytes > image.size())
    throw FormatError(truncated + " of " + std::to_string(header.file_bytes) + kBuildAgain);
  if (header.file_bytes != image.size() || header.header_bytes != sizeof header || !scalars_are_valid(header) ||
      !columns_fill_the_file(header) || !columns_fit_together(header))
    throw FormatError(name + " is damaged: its header contradicts itself" + kBuildAgain);
  return header;
}

IndexColumns index_columns(const IndexHeader& header, std::span<const std::byte> image) {
  const auto bytes = [&](Column column) {
    const auto c = static_cast<size_t>(column);
    return image.subspan(header.column_offset[c], header.column_bytes[c]);
  };
  const auto tokens = [&](Column column) {
    return TokenView(bytes(column).data(), static_cast<Index>(n_elements(header, column)),
                     static_cast<int>(header.token_bytes));
  };
  const auto array = [&]<class T>(std::span<const T>& view, Column column) {
    view = {reinterpret_cast<const T*>(bytes(column).data()), bytes(column).size() / sizeof(T)};
  };
  const auto with_overflow = [&](OverflowView& view, Column column) {
    array(view.small, column);
    array(view.at, overflow_at(column));
    array(view.value, overflow_values(column));
  };
  IndexColumns columns;
  columns.tokens = tokens(Column::tokens);
  columns.held_out = tokens(Column::held_out);
  columns.label = tokens(Column::label);
  columns.entry_token = tokens(Column::entry_token);
  columns.childless_token = tokens(Column::childless_token);
  array(columns.characters, Column::characters);
  array(columns.position_counts, Column::position_counts);
  array(columns.shared_counts, Column::shared_counts);
  array(columns.node_counts, Column::node_counts);
  array(columns.mass_counts, Column::mass_counts);
  array(columns.parent_depth, Column::parent_depth);
  array(columns.leaf_start, Column::leaf_start);
  array(columns.blocks, Column::blocks);
  array(columns.heavy_leaf, Column::heavy_leaf);
  array(columns.heavy_begin, Column::heavy_begin);
  array(columns.short_leaf_node, Column::short_leaf_node);
  array(columns.short_leaf_depth, Column::short_leaf_depth);
  array(columns.childless_node, Column::childless_node);
  array(columns.ended_node, Column::ended_node);
  array(columns.ended_depth, Column::ended_depth);
  with_overflow(columns.size, Column::size);
  with_overflow(columns.mass, Column::mass);
  with_overflow(columns.entry_count, Column::entry_count);
  with_overflow(columns.childless_count, Column::childless_count);
  return columns;
}

}  // namespace agpt
