#include "cpp/trie/index_assembly.h"

#include <atomic>
#include <cstring>

#include "cpp/base/checksum.h"
#include "cpp/base/error.h"
#include "cpp/base/file_writer.h"

namespace agpt {
namespace {

constexpr Column kTotals[] = {Column::position_counts, Column::shared_counts, Column::node_counts, Column::mass_counts};

Column next(Column column) { return static_cast<Column>(static_cast<uint32_t>(column) + 1); }

}  // namespace

template <class Id>
IndexAssembly<Id>::IndexAssembly(const IndexSource& source, std::vector<PartImage> parts, ThreadPool& pool)
    : source_(source), parts_(std::move(parts)), pool_(pool), definition_(source.vocabulary.definition()) {
  number_parts();
  describe_source();
  sum_totals();
  place_columns();
  make_blocks();
}

template <class Id>
typename IndexAssembly<Id>::Kind IndexAssembly<Id>::kind_of(Column column) {
  switch (column) {
    case Column::parent_depth:
    case Column::label:
    case Column::size:
    case Column::size_overflow:
    case Column::mass:
    case Column::mass_overflow:
    case Column::entry_token:
    case Column::entry_count:
    case Column::entry_count_overflow:
    case Column::short_leaf_depth:
    case Column::childless_token:
    case Column::childless_count:
    case Column::childless_count_overflow:
    case Column::ended_depth:
      return Kind::values;
    case Column::leaf_start:
      return Kind::starts;
    case Column::size_overflow_at:
    case Column::mass_overflow_at:
    case Column::heavy_leaf:
    case Column::heavy_begin:
    case Column::entry_count_overflow_at:
    case Column::short_leaf_node:
    case Column::childless_node:
    case Column::childless_count_overflow_at:
    case Column::ended_node:
      return Kind::numbers;
    default:
      return Kind::elsewhere;
  }
}

template <class Id>
void IndexAssembly<Id>::number_parts() {
  for (Column column = Column::tokens; column != Column::n_columns; column = next(column)) {
    if (kind_of(column) == Kind::elsewhere) continue;
    auto& begin = begin_[static_cast<size_t>(column)];
    begin.assign(1, 0);
    for (const PartImage& part : parts_)
      begin.push_back(begin.back() + part.column<std::byte>(column).size() / element_bytes(column, sizeof(Id)));
  }
  header_.n_nodes = begin_[static_cast<size_t>(Column::parent_depth)].back();
  header_.n_leaves = begin_[static_cast<size_t>(Column::leaf_start)].back();
  AGPT_REQUIRE(header_.n_nodes < (uint64_t{1} << 32), "the index would have " + std::to_string(header_.n_nodes) +
                                                          " nodes, but the limit is 2^32: lower the depth or prune");
}

template <class Id>
void IndexAssembly<Id>::describe_source() {
  const IndexOptions& options = source_.options;
  std::memcpy(header_.magic, kIndexMagic, sizeof kIndexMagic);
  header_.version = kIndexVersion;
  header_.header_bytes = sizeof header_;
  header_.token_bytes = sizeof(Id);
  header_.depth = static_cast<uint32_t>(options.depth);
  header_.start_rule = static_cast<uint32_t>(options.starts.rule);
  header_.corpus_end = static_cast<uint32_t>(options.corpus_end);
  header_.reversed = options.reverse;
  header_.vocabulary_kind = static_cast<uint32_t>(source_.vocabulary.kind());
  header_.vocabulary_size = static_cast<uint64_t>(source_.vocabulary.size());
  header_.boundary = kNoBoundary;
  if (source_.vocabulary.boundary()) header_.boundary = *source_.vocabulary.boundary();
  const Starts starts = options.starts.canonical();
  header_.start_stride = static_cast<uint64_t>(starts.stride);
  header_.start_count = static_cast<uint64_t>(starts.count);
  header_.start_offset = static_cast<uint64_t>(starts.offset);
  header_.prune_min_mass = static_cast<uint64_t>(options.prune_min_mass);
  header_.prune_min_depth = static_cast<uint64_t>(options.prune_min_depth);
  header_.val_fraction = options.val_fraction;
  header_.split_seed = options.split_seed;
  header_.token_hash = source_.token_hash;
  header_.n_tokens = static_cast<uint64_t>(source_.split.training.size());
  header_.n_held_out = static_cast<uint64_t>(source_.split.held_out.size());
  header_.n_starts = static_cast<uint64_t>(source_.n_starts);
}

template <class Id>
void IndexAssembly<Id>::sum_totals() {
  const size_t n_depths = header_.depth + 1;
  for (size_t t = 0; t < std::size(kTotals); ++t) {
    totals_[t].assign(n_depths, 0);
    for (const PartImage& part : parts_)
      for (size_t d = 0; d < n_depths; ++d) totals_[t][d] += part.column<uint64_t>(kTotals[t])[d];
    if (kTotals[t] == Column::node_counts) continue;
    for (size_t d = 1; d < n_depths; ++d) totals_[t][d] += totals_[t][d - 1];  // they were differences
  }
  for (size_t d = 0; d < n_depths; ++d) {
    header_.n_positions += totals_[0][d];
    header_.total_mass += totals_[3][d];
  }
  for (const PartImage& part : parts_) {
    header_.n_entries += part.n_entries();
    uint64_t rows = 0, at_depth = 0;
    for (const uint64_t difference : part.column<uint64_t>(Column::position_counts)) rows += at_depth += difference;
    first_row_.push_back(rows);
  }
  uint64_t row = 0;
  for (uint64_t& first : first_row_) row += std::exchange(first, row);
}

template <class Id>
void IndexAssembly<Id>::place(Column column, uint64_t bytes) {
  const auto c = static_cast<size_t>(column);
  header_.file_bytes = (header_.file_bytes + 63) / 64 * 64;
  header_.column_offset[c] = header_.file_bytes;
  header_.column_bytes[c] = bytes;
  header_.file_bytes += bytes;
}

template <class Id>
void IndexAssembly<Id>::place_columns() {
  header_.file_bytes = sizeof header_;
  for (Column column = Column::tokens; column != Column::n_columns; column = next(column)) {
    const size_t width = element_bytes(column, sizeof(Id));
    switch (column) {
      case Column::tokens:
        place(column, header_.n_tokens * width);
        break;
      case Column::held_out:
        place(column, header_.n_held_out * width);
        break;
      case Column::characters:
        place(column, definition_.size());
        break;
      case Column::blocks:
        place(column, (header_.n_nodes / 64 + 1) * width);
        break;
      case Column::position_counts:
      case Column::shared_counts:
      case Column::node_counts:
      case Column::mass_counts:
        place(column, (header_.depth + 1) * width);
        break;
      default: {
        const bool ends_with_one_more = column == Column::parent_depth || column == Column::heavy_begin;
        place(column, (begin_[static_cast<size_t>(column)].back() + ends_with_one_more) * width);
      }
    }
  }
}

template <class Id>
void IndexAssembly<Id>::make_blocks() {
  reserved_for_blocks_ = MemoryReservation(bytes_needed(header_.n_nodes), "the index builder");
  blocks_.assign(header_.n_nodes / 64 + 1, {});
  std::vector<uint8_t> next_parent_depth(parts_.size());
  uint8_t depth = 0;  // of the parent of the first node behind the part
  for (size_t p = parts_.size(); p-- > 0;) {
    next_parent_depth[p] = depth;
    if (parts_[p].n_nodes() > 0) depth = parts_[p].template column<uint8_t>(Column::parent_depth).back();
  }
  pool_.run(static_cast<Index>(parts_.size()), [&](Index part, int) {
    make_blocks_of(static_cast<size_t>(part), next_parent_depth[static_cast<size_t>(part)]);
  });
  if (header_.n_nodes % 64 == 0) blocks_.back() = {0, header_.n_positions, static_cast<uint32_t>(header_.n_leaves), 0};
}

template <class Id>
void IndexAssembly<Id>::make_blocks_of(size_t part, uint8_t next_parent_depth) {
  const PartImage& image = parts_[part];
  const auto parent_depth = image.column<uint8_t>(Column::parent_depth),
             short_depth = image.column<uint8_t>(Column::short_leaf_depth);
  const auto short_node = image.column<uint32_t>(Column::short_leaf_node);
  size_t n_short = short_node.size();  // not met yet; the last is the first
  uint64_t row = first_row_[part], node = begin_of(Column::parent_depth, part);
  auto leaf = static_cast<uint32_t>(begin_of(Column::leaf_start, part));
  for (size_t i = image.n_nodes(); i-- > 0; ++node) {  // from the first node
    IndexBlock& block = blocks_[node / 64];
    if (node % 64 == 0) {
      block.first_row = row;
      block.first_leaf = leaf;
    }
    uint32_t depth = i > 0 ? parent_depth[i - 1] : next_parent_depth;
    if (depth <= parent_depth[i]) {  // the next node is no child
      std::atomic_ref(block.leaf_bits).fetch_or(uint64_t{1} << (node % 64), std::memory_order_relaxed);
      ++leaf;
      depth = header_.depth;
      if (n_short > 0 && short_node[n_short - 1] == i) depth = short_depth[--n_short];
    }
    row += depth - parent_depth[i];
  }
}

template <class Id>
uint32_t IndexAssembly<Id>::last_number(Column column, size_t part) const {
  const auto last_of = [&](Column counted) { return static_cast<uint32_t>(begin_of(counted, part + 1)) - 1; };
  switch (column) {
    case Column::heavy_leaf:
      return last_of(Column::leaf_start);
    case Column::heavy_begin:
      return static_cast<uint32_t>(begin_of(Column::entry_token, part + 1));
    case Column::short_leaf_node:
    case Column::childless_node:
    case Column::ended_node:
      return last_of(Column::parent_depth);
    default:  // numbers of elements of the column before
      return last_of(static_cast<Column>(static_cast<uint32_t>(column) - 1));
  }
}

template <class Id>
template <class Body>
void IndexAssembly<Id>::for_each_part(Column column, uint64_t first, uint64_t n, Body body) const {
  const auto& begin = begin_[static_cast<size_t>(column)];
  const uint64_t end = std::min(first + n, begin.back());
  size_t part = static_cast<size_t>(std::upper_bound(begin.begin(), begin.end(), first) - begin.begin()) - 1;
  for (; first < end; ++part) {
    const uint64_t part_end = std::min(end, begin[part + 1]);
    if (first == part_end) continue;  // an empty part
    body(part, first - begin[part], part_end - begin[part]);
    first = part_end;
  }
}

template <class Id>
template <class T>
void IndexAssembly<Id>::fill_from_parts(Column column, uint64_t first, std::span<T> room) const {
  T* out = room.data();
  const Kind kind = kind_of(column);
  for_each_part(column, first, room.size(), [&](size_t part, uint64_t begin, uint64_t end) {
    const std::span<const T> elements = parts_[part].template column<T>(column);
    if (kind == Kind::starts) {
      out = std::copy_n(elements.begin() + static_cast<std::ptrdiff_t>(begin), end - begin, out);
      return;
    }
    const std::span<const T> last_first = elements.subspan(elements.size() - end, end - begin);
    if (kind == Kind::values) {
      out = std::reverse_copy(last_first.begin(), last_first.end(), out);
    } else {
      const uint32_t last = last_number(column, part);
      for (size_t i = last_first.size(); i-- > 0;) *out++ = static_cast<T>(last - last_first[i]);
    }
  });
  if (column == Column::heavy_begin && out < room.data() + room.size())  // behind the last
    *out = static_cast<T>(begin_[static_cast<size_t>(Column::entry_token)].back());
}

template <class Id>
void IndexAssembly<Id>::fill_column(Column column, uint64_t offset, std::span<std::byte> out) const {
  const auto copy = [&](const void* data) {
    std::memcpy(out.data(), static_cast<const std::byte*>(data) + offset, out.size());
  };
  const auto from_parts = [&]<class T>(T) {
    fill_from_parts<T>(column, offset / sizeof(T), {reinterpret_cast<T*>(out.data()), out.size() / sizeof(T)});
  };
  if (kind_of(column) != Kind::elsewhere) {
    switch (element_bytes(column, sizeof(Id))) {
      case 1:
        return from_parts(uint8_t{});
      case 2:
        return from_parts(uint16_t{});
      default:
        return from_parts(uint32_t{});
    }
  }
  switch (column) {
    case Column::tokens:
      return copy(source_.split.training.view().data());
    case Column::held_out:
      return copy(source_.split.held_out.view().data());
    case Column::characters:
      return copy(definition_.data());
    case Column::blocks:
      return copy(blocks_.data());
    default:
      return copy(totals_[static_cast<size_t>(column) - static_cast<size_t>(kTotals[0])].data());
  }
}

// out: zeroed. Offsets of ranges and of columns are multiples of 8: no element is cut but those that are copied.
template <class Id>
void IndexAssembly<Id>::fill(uint64_t offset, std::span<std::byte> out) const {
  for (size_t c = 0; c < kColumns; ++c) {
    const uint64_t column_begin = header_.column_offset[c], column_end = column_begin + header_.column_bytes[c];
    const uint64_t begin = std::max(offset, column_begin), end = std::min(offset + out.size(), column_end);
    if (begin < end)
      fill_column(static_cast<Column>(c), begin - column_begin, out.subspan(begin - offset, end - begin));
  }
}

template <class Id>
template <class Body>
uint64_t IndexAssembly<Id>::for_each_block(const Progress& progress, Body body) {
  static_assert(sizeof(IndexHeader) % 8 == 0);
  const uint64_t content = header_.file_bytes - sizeof header_;
  const auto n_blocks = static_cast<Index>((content + kChecksumBlock - 1) / kChecksumBlock);
  std::vector<uint64_t> checksums(static_cast<size_t>(n_blocks));
  constexpr Index kRound = 32;  // blocks, after which what was read of the parts is given back
  for (Index first = 0; first < n_blocks; first += kRound) {
    if (progress) progress(static_cast<double>(first) / static_cast<double>(n_blocks));
    pool_.run(std::min(kRound, n_blocks - first), [&](Index i, int worker) {
      const auto block = static_cast<uint64_t>(first + i), begin = block * kChecksumBlock;
      const std::span<const std::byte> bytes =
          body(worker, sizeof header_ + begin, std::min(kChecksumBlock, content - begin));
      checksums[block] = checksum(bytes);
    });
    discard_before(sizeof header_ + static_cast<uint64_t>(first + kRound) * kChecksumBlock);
  }
  return content_checksum_of_blocks(checksums);
}

template <class Id>
void IndexAssembly<Id>::discard_before(uint64_t offset) {
  for (; first_discardable_ + 1 < kColumns && header_.column_offset[first_discardable_ + 1] <= offset;
       ++first_discardable_) {
    const auto column = static_cast<Column>(first_discardable_);
    if (kind_of(column) == Kind::elsewhere) continue;
    for (PartImage& part : parts_) part.discard(column);
  }
}

template <class Id>
ByteImage IndexAssembly<Id>::to_memory(const Progress& progress) {
  ByteImage image = ByteImage::allocate(header_.file_bytes, "the index");
  header_.content_checksum = for_each_block(progress, [&](int, uint64_t offset, size_t size) {
    const std::span<std::byte> out = image.writable().subspan(offset, size);
    fill(offset, out);
    return out;
  });
  header_.header_checksum = header_checksum(header_);
  std::memcpy(image.writable().data(), &header_, sizeof header_);
  return image;
}

template <class Id>
void IndexAssembly<Id>::to_file(const std::string& path, const std::string& temporary_path, const Progress& progress) {
  std::vector<ByteImage> buffers;
  for (int i = 0; i < pool_.size(); ++i) buffers.push_back(ByteImage::allocate(kChecksumBlock, "the index writer"));
  FileWriter file(path, temporary_path);
  file.write_at(0, std::as_bytes(std::span(kIncompleteMagic)));
  header_.content_checksum = for_each_block(progress, [&](int worker, uint64_t offset, size_t size) {
    const std::span<std::byte> out = buffers[static_cast<size_t>(worker)].writable().first(size);
    std::fill(out.begin(), out.end(), std::byte{0});
    fill(offset, out);
    file.write_at(offset, out);
    return out;
  });
  header_.header_checksum = header_checksum(header_);
  const auto header = std::as_bytes(std::span(&header_, 1));
  file.write_at(sizeof kIndexMagic, header.subspan(sizeof kIndexMagic));
  file.write_at(0, header.first(sizeof kIndexMagic));  // last: a copy that is interrupted before is known as one
  file.commit();
}

template class IndexAssembly<uint8_t>;
template class IndexAssembly<uint16_t>;
template class IndexAssembly<uint32_t>;

}  // namespace agpt
