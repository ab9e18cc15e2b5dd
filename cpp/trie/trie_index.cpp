#include "cpp/trie/trie_index.h"

#include <algorithm>

#include "cpp/base/error.h"
#include "cpp/base/file_writer.h"
#include "cpp/trie/index_structure.h"

namespace agpt {
namespace {

// Where the elements of `value`, few if any, lie in an ascending column.
struct Range {
  size_t begin, end;
};
Range equal_range(std::span<const uint32_t> ascending, Index value) {
  const size_t begin = first_at_least(ascending, value);
  size_t end = begin;
  while (end < ascending.size() && ascending[end] == value) ++end;
  return {begin, end};
}

IndexOptions options_of(const IndexHeader& header) {
  IndexOptions options;
  options.depth = static_cast<int>(header.depth);
  options.val_fraction = header.val_fraction;
  options.split_seed = header.split_seed;
  options.starts.rule = static_cast<Starts::Rule>(header.start_rule);
  options.starts.stride = static_cast<Index>(header.start_stride);
  options.starts.count = static_cast<Index>(header.start_count);
  options.starts.offset = static_cast<Index>(header.start_offset);
  options.corpus_end = static_cast<CorpusEnd>(header.corpus_end);
  options.reverse = header.reversed != 0;
  options.prune_min_mass = static_cast<Index>(header.prune_min_mass);
  options.prune_min_depth = static_cast<int>(header.prune_min_depth);
  return options;
}

Vocabulary vocabulary_of(const IndexHeader& header, const IndexColumns& columns) {
  std::optional<Token> boundary;
  if (header.boundary != kNoBoundary) boundary = static_cast<Token>(header.boundary);
  return Vocabulary::from_parts(static_cast<VocabularyKind>(header.vocabulary_kind),
                                {columns.characters.data(), columns.characters.size()},
                                static_cast<Index>(header.vocabulary_size), boundary);
}

}  // namespace

TrieIndex TrieIndex::open(const std::string& path) { return read(ByteImage::map_file(path), "'" + path + "'"); }

TrieIndex TrieIndex::read(ByteImage image, const std::string& name) {
  constexpr uint64_t kReadAtOnce = uint64_t{64} << 20;
  TrieIndex index(std::move(image), name);
  if (index.header_.file_bytes > kReadAtOnce) return index;
  const auto damaged = [&](const std::string& how) {
    return FormatError(name + " is damaged: " + how + "; build it again with agpt-build");
  };
  if (content_checksum(index.bytes()) != index.header_.content_checksum)
    throw damaged("the checksum of its content is wrong");
  if (const auto fault = find_structure_fault(index.header_, index.columns_, index.bytes())) throw damaged(*fault);
  return index;
}

TrieIndex::TrieIndex(ByteImage image, const std::string& name)
    : image_(std::move(image)),
      header_(read_index_header(image_.bytes(), name)),
      columns_(index_columns(header_, image_.bytes())),
      options_(options_of(header_)) {
  try {
    vocabulary_ = vocabulary_of(header_, columns_);
  } catch (const Error& error) {
    throw FormatError(name + " is damaged: " + error.what());
  }
}

void TrieIndex::require_text(const std::string& purpose) const {
  AGPT_REQUIRE(has_text(), "the index was imported without its text, which " + purpose +
                               " needs: import it with the text (agpt-build --import PATH CORPUS)");
}

void TrieIndex::save(const std::string& path) const {
  FileWriter file(path);
  file.write(std::as_bytes(std::span(kIncompleteMagic)));
  file.write(bytes().subspan(sizeof kIncompleteMagic));
  file.write_at(0, bytes().first(sizeof kIndexMagic));
  file.commit();
}

int TrieIndex::leaf_depth(Index node) const {
  const Range range = equal_range(columns_.short_leaf_node, node);
  return range.begin < range.end ? columns_.short_leaf_depth[range.begin] : depth();
}

int TrieIndex::depth(Index node) const {
  return is_leaf(node) ? leaf_depth(node) : columns_.parent_depth[static_cast<size_t>(node) + 1];
}

Index TrieIndex::first_row(Index node) const {
  const Index first = node / 64 * 64;
  auto row = static_cast<Index>(block(node).first_row);
  for (Index i = first; i < node; ++i) row += depth(i) - parent_depth(i);
  return row;
}

Index TrieIndex::node_of_row(Index row) const {
  const auto first_above =
      std::upper_bound(columns_.blocks.begin(), columns_.blocks.end(), row,
                       [](Index r, const IndexBlock& b) { return r < static_cast<Index>(b.first_row); });
  Index node = (first_above - columns_.blocks.begin() - 1) * 64;
  for (auto next = static_cast<Index>(block(node).first_row);; ++node) {
    next += depth(node) - parent_depth(node);
    if (next > row) return node;
  }
}

Index TrieIndex::heavy_leaf_number(Index node) const {
  const Range heavy = equal_range(columns_.heavy_leaf, leaf_rank(node));
  return heavy.begin < heavy.end ? static_cast<Index>(heavy.begin) : -1;
}

std::span<const uint32_t> TrieIndex::leaf_starts(Index node) const {
  const Index first = leaf_rank(node), end = leaf_rank(subtree_end(node));
  return columns_.leaf_start.subspan(static_cast<size_t>(first), static_cast<size_t>(end - first));
}

uint32_t TrieIndex::mass(Index node) const {
  const Index leaf = leaf_rank(node);
  if (!is_leaf(node)) return columns_.mass[node - leaf];
  uint32_t sum = 0;
  if (const Range heavy = equal_range(columns_.heavy_leaf, leaf); heavy.begin < heavy.end) {
    for (uint32_t i = columns_.heavy_begin[heavy.begin]; i < columns_.heavy_begin[heavy.end]; ++i)
      sum += columns_.entry_count[i];
    return sum;
  }
  const Range childless = equal_range(columns_.childless_node, node);
  for (size_t i = childless.begin; i < childless.end; ++i) sum += columns_.childless_count[static_cast<Index>(i)];
  return childless.begin < childless.end ? sum : 1;
}

uint32_t TrieIndex::row_mass(Index node, int depth) const {
  uint32_t sum = mass(node);
  const Range ended = equal_range(columns_.ended_node, node);
  for (size_t i = ended.begin; i < ended.end; ++i) sum += columns_.ended_depth[i] > depth;
  return sum;
}

void TrieIndex::targets(Index node, std::vector<TokenCount>& targets) const {
  targets.clear();
  if (is_leaf(node)) return leaf_targets(node, targets);
  const Range childless = equal_range(columns_.childless_node, node);
  interior_targets(node, childless.begin, childless.end, targets);
}

void TrieIndex::interior_targets(Index node, size_t begin, size_t end, std::vector<TokenCount>& targets) const {
  auto i = static_cast<Index>(begin);
  const auto childless_before = [&](Token token) {
    for (; i < static_cast<Index>(end) && columns_.childless_token[i] < token; ++i)
      targets.push_back({columns_.childless_token[i], columns_.childless_count[i]});
  };
  const Index subtree = subtree_end(node);
  for (Index child = node + 1; child < subtree; child = subtree_end(child)) {
    childless_before(columns_.label[child]);
    // The first row's mass, and one more for a start that ends right there.
    const Range ended = equal_range(columns_.ended_node, child);
    targets.push_back({columns_.label[child], mass(child) + static_cast<uint32_t>(ended.end - ended.begin)});
  }
  childless_before(~Token{0});
}

void TrieIndex::leaf_targets(Index node, std::vector<TokenCount>& targets) const {
  const Index leaf = leaf_rank(node);
  const Range heavy = equal_range(columns_.heavy_leaf, leaf);
  if (heavy.begin < heavy.end) {
    for (uint32_t i = columns_.heavy_begin[heavy.begin]; i < columns_.heavy_begin[heavy.end]; ++i)
      targets.push_back({columns_.entry_token[i], columns_.entry_count[i]});
    return;
  }
  const Range childless = equal_range(columns_.childless_node, node);
  for (auto i = static_cast<Index>(childless.begin); i < static_cast<Index>(childless.end); ++i)
    targets.push_back({columns_.childless_token[i], columns_.childless_count[i]});
  if (childless.begin == childless.end) targets.push_back({token(text(node) + leaf_depth(node)), 1});
}

}  // namespace agpt
