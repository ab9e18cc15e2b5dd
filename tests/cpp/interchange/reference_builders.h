// The reference builders' rules, literally, from text to the bytes of their files: slow, obvious, and independent of the
// engine's index.
#pragma once

#include <algorithm>
#include <deque>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "cpp/corpus/token_hash.h"
#include "cpp/interchange/output_folder.h"
#include "cpp/interchange/reference_format.h"

namespace agpt {

using Files = std::map<std::string, std::string>;

/// A folder that keeps its files in memory.
class MemoryFolder : public OutputFolder {
 public:
  std::unique_ptr<OutputFile> create(const std::string& name) override { return std::make_unique<File>(files_[name]); }
  const Files& files() const { return files_; }

 private:
  struct File : OutputFile {
    explicit File(std::string& content) : content(content) {}
    void write(std::span<const std::byte> bytes) override {
      content.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    }
    void close() override {}
    std::string& content;
  };
  Files files_;
};

/// Little-endian numbers, one after the other.
struct Bytes {
  std::string text;
  Bytes& u32(Index number) { return put(number, 4); }
  Bytes& u64(Index number) { return put(number, 8); }
  Bytes& put(Index number, int bytes) {
    for (int i = 0; i < bytes; ++i) text.push_back(static_cast<char>(static_cast<uint64_t>(number) >> (8 * i)));
    return *this;
  }
};

using Text = std::vector<Token>;
using Entries = std::vector<std::pair<Token, Index>>;

inline void add_tag(Bytes& bytes) {
  const std::string tag = "char.sorted_unique.v1";
  bytes.u32(static_cast<Index>(tag.size())).text += tag;
}

inline void add_entries(Bytes& bytes, const Entries& entries) {
  bytes.u32(static_cast<Index>(entries.size()));
  for (const auto& [token, count] : entries) bytes.u32(token).u32(count);
}

inline Index hash_of(const Text& text) {
  return static_cast<Index>(token_hash(TokenView(std::span<const Token>(text))));
}

/// The streaming builder of leveled directories.
struct LeveledBuilder {
  struct Node {
    Index parent;
    Token token;
    int depth;
    std::map<Token, Index> entries;
    Index count = 0;
    std::vector<Index> children;  // in token order
  };
  std::vector<Node> nodes{{-1, 0, 0, {}, 0, {}}};

  LeveledBuilder(const Text& text, int max_depth) {
    std::vector<std::pair<size_t, Index>> live;
    for (size_t i = 0; i + 1 < text.size(); ++i) live.push_back({i, 0});
    for (int depth = 1; depth <= max_depth && !live.empty(); ++depth) {
      std::map<std::pair<Index, Token>, std::vector<size_t>> groups;
      for (const auto& [cursor, parent] : live) groups[{parent, text[cursor]}].push_back(cursor);
      live.clear();
      for (const auto& [key, cursors] : groups) {
        const auto id = static_cast<Index>(nodes.size());
        Node node{key.first, key.second, depth, {}, static_cast<Index>(cursors.size()), {}};
        for (const size_t cursor : cursors) {
          if (cursor + 1 >= text.size()) continue;
          ++node.entries[text[cursor + 1]];
          live.push_back({cursor + 1, id});
        }
        nodes[static_cast<size_t>(key.first)].children.push_back(id);
        nodes.push_back(node);
      }
    }
  }

  const Node& at(Index id) const { return nodes[static_cast<size_t>(id)]; }

  Files files(const Text& text, int max_depth, Index vocabulary_size) const {
    std::vector<Bytes> records(static_cast<size_t>(nodes.back().depth) + 1);
    std::vector<Index> n(records.size());
    for (size_t id = 0; id < nodes.size(); ++id) {
      const Node& node = nodes[id];
      Bytes& bytes = records[static_cast<size_t>(node.depth)];
      ++n[static_cast<size_t>(node.depth)];
      bytes.u32(static_cast<Index>(id)).u32(node.parent).u32(id == 0 ? -1 : static_cast<Index>(node.token));
      bytes.u32(node.depth).u32(0).u32(-1);
      add_entries(bytes, {node.entries.begin(), node.entries.end()});
    }
    Files files;
    Bytes meta;
    meta.u32(0x4C475041).u32(1).u32(max_depth).u32(-1).u32(0).u32(static_cast<Index>(text.size()) - 1);
    meta.u32(static_cast<Index>(nodes.size())).u32(static_cast<Index>(records.size()));
    meta.u32(static_cast<Index>(text.size())).u32(vocabulary_size).u64(hash_of(text));
    add_tag(meta);
    files["meta.bin"] = meta.text;
    for (size_t d = 0; d < records.size(); ++d)
      files[leveled_file_name(static_cast<int>(d))] =
          Bytes().u32(0x4C475041).u32(static_cast<Index>(d)).u32(n[d]).text + records[d].text;
    return files;
  }
};

struct ReferenceRecord {
  Index id, parent;
  int first_depth;
  Text edge;
  Index mass;
  Entries entries;
  Index key;  // of its subtree file

  int depth() const { return first_depth + static_cast<int>(edge.size()) - 1; }
  bool operator==(const ReferenceRecord&) const = default;

  std::string bytes() const {
    Bytes bytes;
    bytes.u32(id).u32(parent).u32(first_depth).u32(static_cast<Index>(edge.size()));
    for (const Token token : edge) bytes.u32(token);
    bytes.u32(mass);
    add_entries(bytes, entries);
    return bytes.text;
  }
};

struct Pruning {
  Index min_mass = 1;
  int min_depth = 4;
};

/// Builder A: from a leveled trie.
inline std::vector<ReferenceRecord> builder_a(const LeveledBuilder& leveled, int max_depth, Pruning pruning,
                                              bool bigram_keys) {
  struct Waiting {
    Index id, node, key;
    Token first_token;
  };
  std::vector<ReferenceRecord> records;
  std::deque<Waiting> frontier{{0, 0, 0, 0}};
  for (; !frontier.empty(); frontier.pop_front()) {
    const Waiting parent = frontier.front();
    for (Index child : leveled.at(parent.node).children) {
      ReferenceRecord record{0, parent.id, leveled.at(child).depth, {leveled.at(child).token}, 0, {}, parent.key};
      for (const auto& [token, count] : leveled.at(child).entries) record.mass += count;
      while (leveled.at(child).entries.size() == 1 && leveled.at(child).depth < max_depth) {
        child = leveled.at(child).children.at(0);
        record.edge.push_back(leveled.at(child).token);
      }
      const LeveledBuilder::Node& node = leveled.at(child);
      if (node.entries.empty()) continue;
      if (record.mass < pruning.min_mass && record.first_depth >= pruning.min_depth) continue;
      record.id = static_cast<Index>(records.size()) + 1;
      record.entries = {node.entries.begin(), node.entries.end()};
      const Token first_token = parent.id == 0 ? record.edge[0] : parent.first_token;
      if (parent.id == 0 && bigram_keys) {
        record.key = record.edge[0] * 256 + (record.edge.size() > 1 ? record.edge[1] : 255);
      } else if (parent.id == 0) {
        record.key = record.id;
      } else if (bigram_keys && parent.key % 256 == 255) {
        record.key = first_token * 256 + record.edge[0];
      }
      if (node.entries.size() > 1 && node.depth < max_depth)
        frontier.push_back({record.id, child, record.key, first_token});
      records.push_back(record);
    }
  }
  return records;
}

/// Builder B: from the text, one first token after the other.
inline std::vector<ReferenceRecord> builder_b(const Text& text, int max_depth, Pruning pruning) {
  struct Node {
    Token token;
    int depth;
    Index count = 0;
    std::vector<Index> children;  // in order of first insertion
  };
  std::vector<ReferenceRecord> records;
  const Token last = *std::max_element(text.begin(), text.end());
  for (Token root = 0; root <= last; ++root) {
    std::vector<Node> trie{{root, 0, 0, {}}};
    for (size_t i = 0; i < text.size(); ++i) {
      if (text[i] != root) continue;
      Index at = 0;
      for (size_t k = 0; k <= static_cast<size_t>(max_depth) && i + k < text.size(); ++k) {
        Index next = -1;
        for (const Index child : trie[static_cast<size_t>(at)].children)
          if (trie[static_cast<size_t>(child)].token == text[i + k]) next = child;
        if (next < 0) {
          next = static_cast<Index>(trie.size());
          trie.push_back({text[i + k], static_cast<int>(k) + 1, 0, {}});
          trie[static_cast<size_t>(at)].children.push_back(next);
        }
        ++trie[static_cast<size_t>(next)].count;
        at = next;
      }
    }
    struct Waiting {
      Index id, node;
    };
    const Index key = static_cast<Index>(records.size()) + 1;
    std::deque<Waiting> frontier{{0, 0}};
    for (; !frontier.empty(); frontier.pop_front()) {
      const std::vector<Index> children = trie[static_cast<size_t>(frontier.front().node)].children;
      for (auto child = children.rbegin(); child != children.rend(); ++child) {
        const Node* node = &trie[static_cast<size_t>(*child)];
        Index at = *child;
        ReferenceRecord record{0, frontier.front().id, node->depth, {node->token}, node->count, {}, key};
        while (node->children.size() == 1 && node->depth < max_depth) {
          at = node->children[0];
          node = &trie[static_cast<size_t>(at)];
          record.edge.push_back(node->token);
        }
        if (node->children.empty()) continue;
        if (record.mass < pruning.min_mass && record.first_depth >= pruning.min_depth) continue;
        record.id = static_cast<Index>(records.size()) + 1;
        for (auto next = node->children.rbegin(); next != node->children.rend(); ++next)
          record.entries.push_back({trie[static_cast<size_t>(*next)].token, trie[static_cast<size_t>(*next)].count});
        if (node->children.size() > 1 && node->depth < max_depth) frontier.push_back({record.id, at});
        records.push_back(record);
      }
    }
  }
  return records;
}

/// The directory of either radix builder.
inline Files radix_files(const std::vector<ReferenceRecord>& records, const Text& text, Index vocabulary_size,
                         bool per_subtree) {
  int deepest = 0;
  Index edge_tokens = 0;
  struct Unit {
    std::string bytes;
    Index n = 0, edge_tokens = 0;
    int deepest = 0;
    void add(const ReferenceRecord& record) {
      bytes += record.bytes();
      ++n;
      edge_tokens += static_cast<Index>(record.edge.size());
      deepest = std::max(deepest, record.depth());
    }
  };
  std::map<int, Unit> depths;
  std::map<Index, Unit> subtrees;
  for (const ReferenceRecord& record : records) {
    depths[record.depth()].add(record);
    subtrees[record.key].add(record);
    deepest = std::max(deepest, record.depth());
    edge_tokens += static_cast<Index>(record.edge.size());
  }
  Files files;
  Bytes meta;
  meta.u32(0x52445841).u32(2).u32(static_cast<Index>(records.size()) + 1).u32(deepest + 1).u64(edge_tokens);
  meta.u32(static_cast<Index>(text.size())).u32(vocabulary_size).u64(hash_of(text));
  add_tag(meta);
  files["meta.bin"] = meta.text;
  for (int d = 0; d <= deepest; ++d)
    files[radix_file_name(d)] = Bytes().u32(0x52445841).u32(d).u32(depths[d].n).text + depths[d].bytes;
  if (!per_subtree) return files;
  Bytes manifest;
  manifest.u32(0x52445841).u32(2).u32(static_cast<Index>(subtrees.size()));
  for (const auto& [key, unit] : subtrees) {
    manifest.u32(key).u32(unit.n).u64(unit.edge_tokens).u32(unit.deepest);
    Bytes header;
    header.u32(0x52445841).u32(2).u32(key).u32(unit.n).u64(unit.edge_tokens).u32(unit.deepest);
    files[subtree_file_name(static_cast<uint32_t>(key))] = header.text + unit.bytes;
  }
  files["manifest.bin"] = manifest.text;
  return files;
}

/// The older builder of a single file, which inserts one start after the other.
struct SingleFileBuilder {
  struct Node {
    Index parent;
    Token token;
    int depth;
    Entries entries;  // first seen first
    std::map<Token, Index> children;
  };
  std::vector<Node> nodes{{-1, 0, 0, {}, {}}};

  /// max_starts = -1: all.
  static std::string bytes(const Text& text, int max_depth, Index max_starts, Index start_offset,
                           Index vocabulary_size) {
    SingleFileBuilder builder;
    const Index total = static_cast<Index>(text.size()) - 1;
    const Index count = max_starts < 0 ? total : std::min(total, max_starts);
    const Index offset = count == total ? 0 : start_offset % total;
    for (Index i = 0; i < count; ++i) builder.insert(text, (i * total / count + offset) % total, max_depth);
    Bytes file;
    file.u32(0x54475041).u32(2).u32(max_depth).u32(max_starts).u32(start_offset).u32(count);
    file.u32(static_cast<Index>(builder.nodes.size())).u32(static_cast<Index>(text.size())).u32(vocabulary_size);
    file.u64(hash_of(text));
    add_tag(file);
    for (size_t id = 0; id < builder.nodes.size(); ++id) {
      const Node& node = builder.nodes[id];
      file.u32(static_cast<Index>(id)).u32(node.parent).u32(id == 0 ? -1 : static_cast<Index>(node.token));
      file.u32(node.depth);
      add_entries(file, node.entries);
    }
    return file.text;
  }

 private:
  void insert(const Text& text, Index start, int max_depth) {
    Index at = 0;
    for (Index i = start, depth = 1; depth <= max_depth && i + 1 < static_cast<Index>(text.size()); ++i, ++depth) {
      const Token token = text[static_cast<size_t>(i)], next = text[static_cast<size_t>(i) + 1];
      const auto [child, is_new] =
          nodes[static_cast<size_t>(at)].children.try_emplace(token, static_cast<Index>(nodes.size()));
      const Index id = child->second;
      if (is_new) nodes.push_back({at, token, static_cast<int>(depth), {}, {}});
      Entries& entries = nodes[static_cast<size_t>(id)].entries;
      const auto entry = std::find_if(entries.begin(), entries.end(), [&](const auto& e) { return e.first == next; });
      if (entry == entries.end()) {
        entries.push_back({next, 1});
      } else {
        ++entry->second;
      }
      at = id;
    }
  }
};

}  // namespace agpt
