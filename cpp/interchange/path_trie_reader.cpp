#include "cpp/interchange/path_trie_reader.h"

#include <algorithm>

#include "cpp/interchange/reference_format.h"

namespace agpt {
namespace {

constexpr uint32_t kLargest = 0x7FFFFFFF;  // numbers are signed
constexpr int kDeepest = 255;              // the reference keeps the depth of a leveled node in one byte

class PathTrieReader {
 public:
  explicit PathTrieReader(const ReferenceFiles& files) : files_(files) {
    trie_.format = files.format();
    trie_.header_bytes = trie_.format == ReferenceFormat::single ? kSingleRecordBytes : kLeveledRecordBytes;
  }

  PathTrie read() {
    if (trie_.format == ReferenceFormat::single) {
      ByteReader reader = files_.read("");
      read_meta(reader, kSingleMagic, kSingleVersion);
      reserve(reader.remaining() / kSingleRecordBytes);
      read_nodes(reader, n_nodes_, -1);
      reader.require_end();
    } else {
      read_levels();
    }
    return std::move(trie_);
  }

 private:
  void read_meta(ByteReader& reader, uint32_t magic, uint32_t version) {
    reader.require(reader.u32() == magic, "it is not the start of such a trie");
    reader.require(reader.u32() == version, "its version is unknown");
    trie_.max_depth = static_cast<int>(reader.u32());
    trie_.max_starts = static_cast<int32_t>(reader.u32());
    trie_.start_offset = static_cast<int32_t>(reader.u32());
    trie_.n_starts = reader.u32();
    n_nodes_ = reader.u32();
    if (trie_.format == ReferenceFormat::leveled) n_depths_ = reader.u32();
    trie_.source = read_source(reader);
    reader.require(n_nodes_ >= 1 && n_nodes_ <= kLargest, "the number of nodes is impossible");
    reader.require(trie_.max_depth == -1 || trie_.max_depth >= 1, "the largest depth is impossible");
    reader.require(trie_.n_starts >= 0 && trie_.n_starts < trie_.source.n_tokens, "the number of starts is impossible");
  }

  // The files justify the memory for the table of nodes.
  void reserve(size_t n_that_fit) {
    if (static_cast<size_t>(n_nodes_) > n_that_fit)
      throw FormatError(files_.name_of(files_.has("") ? "" : kMetaFile) + " announces " + std::to_string(n_nodes_) +
                        " nodes, but there is not room for more than " + std::to_string(n_that_fit));
    trie_.nodes.assign(static_cast<size_t>(n_nodes_), nullptr);
  }

  void read_levels() {
    ByteReader meta = files_.read(kMetaFile);
    read_meta(meta, kLeveledMagic, kLeveledVersion);
    meta.require_end();
    meta.require(n_depths_ >= 1 && n_depths_ <= kDeepest + 1, "the number of depths is impossible");
    Index n = 0;
    for (int depth = 0; depth < n_depths_; ++depth) {
      ByteReader reader = files_.read(leveled_file_name(depth));
      n += read_level_header(reader, depth);
    }
    meta.require(n == n_nodes_, "it announces another number of nodes than the files hold");
    reserve(static_cast<size_t>(n));
    for (int depth = 0; depth < n_depths_; ++depth) {
      ByteReader reader = files_.read(leveled_file_name(depth));
      read_nodes(reader, read_level_header(reader, depth), depth);
      reader.require_end();
    }
  }

  static Index read_level_header(ByteReader& reader, int depth) {
    reader.require(reader.u32() == kLeveledMagic, "it is not a file of a leveled trie");
    reader.require(reader.u32() == static_cast<uint32_t>(depth), "it is of another depth than its name says");
    return read_count(reader, kLeveledRecordBytes);
  }

  // level = -1: any.
  void read_nodes(ByteReader& reader, Index n, int level) {
    for (Index left = n; left > 0; --left) {
      const std::byte* const at = reader.take(trie_.header_bytes - 4);
      skip_entries(reader, trie_.source.vocabulary_size);
      const uint32_t id = load_u32(at);
      reader.require(id < n_nodes_ && trie_.nodes[id] == nullptr, "an id is out of range or occurs twice");
      trie_.nodes[id] = at;
      check_node(reader, id, level);
    }
  }

  void check_node(const ByteReader& reader, uint32_t id, int level) {
    const PathView node = trie_.node(id);
    reader.require(level < 0 || node.depth() == level, "a node is of another depth than its file");
    if (id == 0) {
      reader.require(node.parent() == kNone && node.token() == kNone && node.depth() == 0, "the root is impossible");
      return;
    }
    reader.require(node.depth() >= 1 && node.depth() <= kDeepest, "the depth of a node is impossible");
    reader.require(node.parent() < id && trie_.nodes[node.parent()] != nullptr, "a node comes before its parent");
    reader.require(trie_.node(node.parent()).depth() == node.depth() - 1, "a node is not one level below its parent");
    reader.require(node.token() < trie_.source.vocabulary_size, "a token is outside the vocabulary");
    trie_.depth = std::max(trie_.depth, node.depth());
  }

  const ReferenceFiles& files_;
  PathTrie trie_;
  Index n_nodes_ = 0;
  int n_depths_ = 0;
};

}  // namespace

PathTrie read_path_trie(const ReferenceFiles& files) { return PathTrieReader(files).read(); }

}  // namespace agpt
