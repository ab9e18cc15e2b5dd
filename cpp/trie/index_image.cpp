#include "cpp/trie/index_image.h"

#include <cstring>

#include "cpp/base/error.h"
#include "cpp/corpus/token_hash.h"

namespace agpt {
namespace {

template <class T>
void release(std::vector<T>& column) {
  std::vector<T>().swap(column);
}

template <class Id>
class ImageMaker {
 public:
  ImageMaker(const IndexSource& source, std::vector<TriePart<Id>>& parts) : source_(source), parts_(parts) {}

  ByteImage make() {
    number_parts();
    describe_source();
    place_columns();
    image_ = ByteImage::allocate(header_.file_bytes, "the index");
    copy_source();
    write_totals();
    write_nodes();
    write_leaves();
    write_exceptions();
    write_blocks();  // reads the columns before
    finish();
    return std::move(image_);
  }

 private:
  using Part = TriePart<Id>;

  // Numbers of a part's elements within the whole, from the first.
  struct Base {
    uint32_t node, leaf;
  };

  void number_parts() {
    uint64_t node = 0, leaf = 0;
    for (const Part& part : parts_) {
      bases_.push_back({static_cast<uint32_t>(node), static_cast<uint32_t>(leaf)});
      node += part.n_nodes();
      leaf += part.n_leaves;
    }
    AGPT_REQUIRE(node < (uint64_t{1} << 32), "the index would have " + std::to_string(node) +
                                                 " nodes, but the limit is 2^32: lower the depth or prune");
    header_.n_nodes = node;
    header_.n_leaves = leaf;
  }

  void describe_source() {
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
    header_.token_hash = token_hash(source_.split.training.view());
    header_.n_tokens = static_cast<uint64_t>(source_.split.training.size());
    header_.n_held_out = static_cast<uint64_t>(source_.split.held_out.size());
    header_.n_starts = static_cast<uint64_t>(source_.n_starts);
    characters_ = source_.vocabulary.definition();
  }

  template <class Field>
  uint64_t total(Field field) const {
    uint64_t n = 0;
    for (const Part& part : parts_) n += (part.*field).size();
    return n;
  }
  void place_with_overflow(Column column, OverflowColumn Part::* field) {
    uint64_t n = 0, n_large = 0;
    for (const Part& part : parts_) {
      n += (part.*field).small.size();
      n_large += (part.*field).at.size();
    }
    place(column, n);
    place(static_cast<Column>(static_cast<uint32_t>(column) + 1), n_large * sizeof(uint32_t));
    place(static_cast<Column>(static_cast<uint32_t>(column) + 2), n_large * sizeof(uint32_t));
  }
  void place(Column column, uint64_t bytes) {
    const auto c = static_cast<size_t>(column);
    header_.file_bytes = (header_.file_bytes + 63) / 64 * 64;
    header_.column_offset[c] = header_.file_bytes;
    header_.column_bytes[c] = bytes;
    header_.file_bytes += bytes;
  }

  void place_columns() {  // in the order of Column
    const uint64_t word = sizeof(uint32_t), totals = (header_.depth + 1) * sizeof(uint64_t);
    header_.file_bytes = sizeof header_;
    place(Column::tokens, header_.n_tokens * sizeof(Id));
    place(Column::held_out, header_.n_held_out * sizeof(Id));
    place(Column::characters, characters_.size());
    place(Column::position_counts, totals);
    place(Column::shared_counts, totals);
    place(Column::node_counts, totals);
    place(Column::mass_counts, totals);
    place(Column::parent_depth, header_.n_nodes + 1);
    place(Column::label, header_.n_nodes * sizeof(Id));
    place(Column::leaf_start, header_.n_leaves * word);
    place(Column::blocks, (header_.n_nodes / 64 + 1) * sizeof(IndexBlock));
    place_with_overflow(Column::size, &Part::size);
    place_with_overflow(Column::mass, &Part::mass);
    place(Column::heavy_leaf, total(&Part::heavy_leaf) * word);
    place(Column::heavy_begin, (total(&Part::heavy_leaf) + 1) * word);
    place(Column::entry_token, total(&Part::entry_token) * sizeof(Id));
    place_with_overflow(Column::entry_count, &Part::entry_count);
    place(Column::short_leaf_node, total(&Part::short_leaf_node) * word);
    place(Column::short_leaf_depth, total(&Part::short_leaf_depth));
    place(Column::childless_node, total(&Part::childless_node) * word);
    place(Column::childless_token, total(&Part::childless_token) * sizeof(Id));
    place_with_overflow(Column::childless_count, &Part::childless_count);
    place(Column::ended_node, total(&Part::ended_node) * word);
    place(Column::ended_depth, total(&Part::ended_depth));
  }

  template <class T>
  T* column(Column column) {
    return reinterpret_cast<T*>(image_.writable().data() + header_.column_offset[static_cast<size_t>(column)]);
  }

  void copy_source() {
    const auto copy = [&](Column to, const void* data) {
      const uint64_t bytes = header_.column_bytes[static_cast<size_t>(to)];
      if (bytes > 0) std::memcpy(column<char>(to), data, bytes);
    };
    copy(Column::tokens, source_.split.training.view().data());
    copy(Column::held_out, source_.split.held_out.view().data());
    copy(Column::characters, characters_.data());
  }

  void write_totals() {
    DepthTotals sum(source_.options.depth);
    const auto add = [](std::vector<uint64_t>& to, const std::vector<uint64_t>& from) {
      for (size_t d = 0; d < to.size(); ++d) to[d] += from[d];
    };
    for (const Part& part : parts_) {
      add(sum.rows, part.totals.rows);
      add(sum.shared, part.totals.shared);
      add(sum.nodes, part.totals.nodes);
      add(sum.mass, part.totals.mass);
      header_.n_entries += part.n_entries;
    }
    uint64_t rows = 0, shared = 0, mass = 0;  // at depth d: the differences up to there
    for (size_t d = 0; d <= header_.depth; ++d) {
      column<uint64_t>(Column::position_counts)[d] = rows += sum.rows[d];
      column<uint64_t>(Column::shared_counts)[d] = shared += sum.shared[d];
      column<uint64_t>(Column::node_counts)[d] = sum.nodes[d];
      column<uint64_t>(Column::mass_counts)[d] = mass += sum.mass[d];
      header_.n_positions += rows;
      header_.total_mass += mass;
    }
  }

  template <class T>
  void write_reversed(Column to, std::vector<T> Part::* field) {
    T* out = column<T>(to);
    for (Part& part : parts_) {
      out = std::reverse_copy((part.*field).begin(), (part.*field).end(), out);
      release(part.*field);
    }
  }

  // Elements that are numbers of nodes or leaves, counted from the last of the part.
  template <class Last>
  void write_numbers(Column to, std::vector<uint32_t> Part::* field, Last last) {
    uint32_t* out = column<uint32_t>(to);
    for (size_t p = 0; p < parts_.size(); ++p) {
      std::vector<uint32_t>& numbers = parts_[p].*field;
      for (size_t i = numbers.size(); i-- > 0;) *out++ = last(p) - numbers[i];
      release(numbers);
    }
  }

  void write_with_overflow(Column to, OverflowColumn Part::* field) {
    uint8_t* small = column<uint8_t>(to);
    uint32_t* at = column<uint32_t>(static_cast<Column>(static_cast<uint32_t>(to) + 1));
    uint32_t* value = column<uint32_t>(static_cast<Column>(static_cast<uint32_t>(to) + 2));
    uint32_t end = 0;
    for (Part& part : parts_) {
      OverflowColumn& own = part.*field;
      small = std::reverse_copy(own.small.begin(), own.small.end(), small);
      end += static_cast<uint32_t>(own.small.size());
      for (size_t i = own.at.size(); i-- > 0;) *at++ = end - 1 - own.at[i];
      value = std::reverse_copy(own.value.begin(), own.value.end(), value);
      own = {};
    }
  }

  void write_nodes() {
    for (size_t p = 0; p < parts_.size(); ++p) last_node_.push_back(bases_[p].node + parts_[p].n_nodes() - 1);
    write_reversed(Column::parent_depth, &Part::parent_depth);  // the 0 behind them is there already
    write_reversed(Column::label, &Part::label);
    write_with_overflow(Column::size, &Part::size);
    write_with_overflow(Column::mass, &Part::mass);
  }

  void write_leaves() {
    uint32_t* start = column<uint32_t>(Column::leaf_start);
    for (const Part& part : parts_) start = std::copy_n(part.leaf_start, part.n_leaves, start);
    uint32_t* begin = column<uint32_t>(Column::heavy_begin);
    for (const Part& part : parts_)
      for (size_t i = part.heavy_entries.size(); i-- > 0; ++begin) begin[1] = begin[0] + part.heavy_entries[i];
    write_numbers(Column::heavy_leaf, &Part::heavy_leaf,
                  [&](size_t p) { return bases_[p].leaf + parts_[p].n_leaves - 1; });
    write_reversed(Column::entry_token, &Part::entry_token);
    write_with_overflow(Column::entry_count, &Part::entry_count);
  }

  void write_exceptions() {
    const auto last_node = [&](size_t p) { return last_node_[p]; };
    write_numbers(Column::short_leaf_node, &Part::short_leaf_node, last_node);
    write_reversed(Column::short_leaf_depth, &Part::short_leaf_depth);
    write_numbers(Column::childless_node, &Part::childless_node, last_node);
    write_reversed(Column::childless_token, &Part::childless_token);
    write_with_overflow(Column::childless_count, &Part::childless_count);
    write_numbers(Column::ended_node, &Part::ended_node, last_node);
    write_reversed(Column::ended_depth, &Part::ended_depth);
  }

  void write_blocks() {
    const uint8_t* const parent_depth = column<uint8_t>(Column::parent_depth);
    const uint32_t* const short_node = column<uint32_t>(Column::short_leaf_node);
    const uint8_t* const short_depth = column<uint8_t>(Column::short_leaf_depth);
    const uint64_t n_short = header_.column_bytes[static_cast<size_t>(Column::short_leaf_depth)];
    IndexBlock* const blocks = column<IndexBlock>(Column::blocks);
    uint64_t row = 0, next_short = 0;
    uint32_t leaf = 0;
    for (uint64_t node = 0; node <= header_.n_nodes; ++node) {
      IndexBlock& block = blocks[node / 64];
      if (node % 64 == 0) block = {0, row, leaf, 0};
      if (node == header_.n_nodes) break;
      uint32_t depth = parent_depth[node + 1];
      if (depth <= parent_depth[node]) {  // the next node is no child
        block.leaf_bits |= uint64_t{1} << (node % 64);
        ++leaf;
        depth = header_.depth;
        if (next_short < n_short && short_node[next_short] == node) depth = short_depth[next_short++];
      }
      row += depth - parent_depth[node];
    }
  }

  void finish() {
    header_.content_checksum = content_checksum(image_.bytes());
    header_.header_checksum = header_checksum(header_);
    std::memcpy(image_.writable().data(), &header_, sizeof header_);
  }

  const IndexSource& source_;
  std::vector<Part>& parts_;
  std::vector<Base> bases_;
  std::vector<uint32_t> last_node_;  // of each part
  std::string characters_;
  IndexHeader header_{};
  ByteImage image_;
};

}  // namespace

template <class Id>
ByteImage make_index_image(const IndexSource& source, std::vector<TriePart<Id>>& parts) {
  return ImageMaker<Id>(source, parts).make();
}

template ByteImage make_index_image(const IndexSource&, std::vector<TriePart<uint8_t>>&);
template ByteImage make_index_image(const IndexSource&, std::vector<TriePart<uint16_t>>&);
template ByteImage make_index_image(const IndexSource&, std::vector<TriePart<uint32_t>>&);

}  // namespace agpt
