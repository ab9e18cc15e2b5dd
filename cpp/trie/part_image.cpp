#include "cpp/trie/part_image.h"

#include <cstring>

#include "cpp/base/error.h"

namespace agpt {
namespace {

constexpr uint64_t kAlignment = 64;

uint64_t aligned(uint64_t bytes) { return (bytes + kAlignment - 1) / kAlignment * kAlignment; }

}  // namespace

template <class Id>
std::vector<PartImage::Column_> PartImage::columns_of(const TriePart<Id>& part) {
  std::vector<Column_> columns;
  const auto add = [&](Column column, const auto& values) {
    columns.push_back({static_cast<size_t>(column), values.data(), values.size() * sizeof(values[0])});
  };
  const auto add_with_overflow = [&](Column column, const OverflowColumn& values) {
    add(column, values.small);
    add(overflow_at(column), values.at);
    add(overflow_values(column), values.value);
  };
  add(Column::position_counts, part.totals.rows);
  add(Column::shared_counts, part.totals.shared);
  add(Column::node_counts, part.totals.nodes);
  add(Column::mass_counts, part.totals.mass);
  add(Column::parent_depth, part.parent_depth);
  add(Column::label, part.label);
  add(Column::leaf_start, part.leaf_start);
  add_with_overflow(Column::size, part.size);
  add_with_overflow(Column::mass, part.mass);
  add(Column::heavy_leaf, part.heavy_leaf);
  add(Column::heavy_begin, part.heavy_begin);
  add(Column::entry_token, part.entry_token);
  add_with_overflow(Column::entry_count, part.entry_count);
  add(Column::short_leaf_node, part.short_leaf_node);
  add(Column::short_leaf_depth, part.short_leaf_depth);
  add(Column::childless_node, part.childless_node);
  add(Column::childless_token, part.childless_token);
  add_with_overflow(Column::childless_count, part.childless_count);
  add(Column::ended_node, part.ended_node);
  add(Column::ended_depth, part.ended_depth);
  add(Column::n_columns, part.open_childless);
  return columns;
}

template <class Id>
PartImage PartImage::copy(const TriePart<Id>& part) {
  const std::vector<Column_> columns = columns_of(part);
  Header header{};
  header.n_suffixes = part.n_suffixes;
  header.n_nodes = part.n_nodes();
  header.n_entries = part.n_entries;
  header.open_mass = part.open_mass;
  header.open_start = part.open_start;
  header.bytes = aligned(sizeof header);
  for (const Column_& column : columns) {
    header.offset[column.number] = header.bytes;
    header.size[column.number] = column.bytes;
    header.bytes = aligned(header.bytes + column.bytes);
  }
  auto image = std::make_shared<ByteImage>(ByteImage::allocate(header.bytes, "a part of the index"));
  std::byte* const out = image->writable().data();
  std::memcpy(out, &header, sizeof header);
  for (const Column_& column : columns)
    if (column.bytes > 0) std::memcpy(out + header.offset[column.number], column.data, column.bytes);
  const std::span<const std::byte> bytes = image->bytes();
  return PartImage(std::move(image), bytes);
}

PartImage PartImage::read(std::shared_ptr<const ByteImage> image, size_t& offset, const std::string& name) {
  const std::span<const std::byte> rest = image->bytes().subspan(std::min(offset, image->bytes().size()));
  Header header;
  bool fits = rest.size() >= sizeof header;
  if (fits) {
    std::memcpy(&header, rest.data(), sizeof header);
    fits = header.bytes >= sizeof header && header.bytes <= rest.size() && header.bytes % kAlignment == 0;
    for (size_t c = 0; c < kPartColumns && fits; ++c)
      fits = header.offset[c] % kAlignment == 0 && header.offset[c] <= header.bytes &&
             header.size[c] <= header.bytes - header.offset[c];
  }
  if (!fits) throw FormatError(name + " is damaged");
  offset += header.bytes;
  return PartImage(std::move(image), rest.first(header.bytes));
}

void PartImage::discard(Column column) {
  const size_t c = static_cast<size_t>(column);
  owner_->discard(bytes_.subspan(header().offset[c], header().size[c]));
}

template PartImage PartImage::copy(const TriePart<uint8_t>&);
template PartImage PartImage::copy(const TriePart<uint16_t>&);
template PartImage PartImage::copy(const TriePart<uint32_t>&);

}  // namespace agpt
