#include "cpp/interchange/path_trie_export.h"

#include <algorithm>

#include "cpp/base/error.h"
#include "cpp/interchange/first_starts.h"
#include "cpp/interchange/reference_format.h"
#include "cpp/interchange/source_text.h"
#include "cpp/trie/trie_walk.h"

namespace agpt {
namespace {

void write_entries(RecordWriter& file, std::span<const TokenCount> entries) {
  file.put_u32(static_cast<uint32_t>(entries.size()));
  for (const TokenCount& entry : entries) {
    file.put_u32(entry.token);
    file.put_u32(entry.count);
  }
}

// The nodes of one level in the order of their ids: the rows of that depth, and the paths to the end of the text that
// occur once. Those follow endpoints, as targets that no child stands for.
class Level {
 public:
  struct Node {
    Index parent;  // its rank in the level above
    Token token;
    std::span<const TokenCount> entries;
  };

  /// tails_above: the ranks in the level above of nodes that are no rows.
  Level(const TrieIndex& index, int depth, const std::vector<Index>& tails_above)
      : index_(index), depth_(depth), tails_above_(tails_above) {}

  /// Returns how many nodes there are. tails: their ranks are appended.
  template <class Visit>
  Index for_each(std::vector<Index>& tails, Visit visit) {
    parent_ = depth_ == 1 ? 0 : -1;
    next_tail_above_ = 0;
    Index rank = 0;
    const auto visit_tails_before = [&](Token end) {
      for (; next_pending_ < pending_.size() && pending_[next_pending_].token < end; ++next_pending_) {
        tails.push_back(rank++);
        visit(Node{parent_, pending_[next_pending_].token, {}});
      }
    };
    pending_.clear();
    next_pending_ = 0;
    TrieWalk walk(index_, 0);
    for (TrieEdge edge; walk.next(edge);) {
      if (edge.parent_depth < depth_ - 1) visit_tails_before(~Token{0});
      if (edge.parent_depth < depth_ - 1 && depth_ - 1 <= edge.depth) step_parent();
      if (edge.depth == depth_ - 1) wait_for_children(walk.targets());
      if (edge.parent_depth >= depth_ || depth_ > edge.depth) continue;
      const Token token = index_.token(edge.text + depth_ - 1);
      if (edge.parent_depth == depth_ - 1 && depth_ > 1) {
        visit_tails_before(token);
        ++next_pending_;  // this one
      }
      ++rank;
      visit(Node{parent_, token, entries_of(edge, walk)});
    }
    visit_tails_before(~Token{0});
    return rank;
  }

 private:
  void step_parent() {
    for (++parent_; next_tail_above_ < tails_above_.size() && tails_above_[next_tail_above_] == parent_; ++parent_)
      ++next_tail_above_;
  }
  void wait_for_children(std::span<const TokenCount> targets) {
    pending_.assign(targets.begin(), targets.end());
    next_pending_ = 0;
  }
  std::span<const TokenCount> entries_of(const TrieEdge& edge, TrieWalk& walk) {
    if (depth_ == edge.depth) return walk.targets();
    inside_ = {index_.token(edge.text + depth_), walk.row_mass(depth_)};
    return {&inside_, 1};
  }

  const TrieIndex& index_;
  const int depth_;
  const std::vector<Index>& tails_above_;
  size_t next_tail_above_ = 0;
  Index parent_ = 0;
  std::vector<TokenCount> pending_;  // targets of an endpoint of the level above, whose nodes come next
  size_t next_pending_ = 0;
  TokenCount inside_{};
};

class LeveledWriter {
 public:
  LeveledWriter(const TrieIndex& index, OutputFolder& folder) : index_(index), folder_(folder) {}

  PathTotals write() {
    write_root();
    std::vector<Index> tails_above;
    Index first_above = 0, first = 1;  // ids
    int depth = 1;
    for (; depth <= index_.depth(); ++depth) {
      std::vector<Index> tails;
      Level level(index_, depth, tails_above);
      const Index n = level.for_each(tails, [](const Level::Node&) {});
      if (n == 0) break;
      tails.clear();
      RecordWriter file = open(depth, n);
      Index id = first;
      level.for_each(tails, [&](const Level::Node& node) {
        write_node(file, id++, first_above + node.parent, node.token, depth, node.entries);
      });
      file.close();
      first_above = first;
      first += n;
      tails_above = std::move(tails);
    }
    write_meta(first, depth);
    return {first};
  }

 private:
  RecordWriter open(int depth, Index n) {
    RecordWriter file(folder_.create(leveled_file_name(depth)));
    file.put_u32(kLeveledMagic);
    file.put_u32(static_cast<uint32_t>(depth));
    file.put_u32(static_cast<uint32_t>(n));
    return file;
  }

  static void write_node(RecordWriter& file, Index id, Index parent, Token token, int depth,
                         std::span<const TokenCount> entries) {
    file.put_u32(static_cast<uint32_t>(id));
    file.put_u32(static_cast<uint32_t>(parent));
    file.put_u32(token);
    file.put_u32(static_cast<uint32_t>(depth));
    file.put_u32(0);      // the streaming builder does not count children ...
    file.put_u32(kNone);  // ... and does not know the first
    write_entries(file, entries);
  }

  void write_root() {
    RecordWriter file = open(0, 1);
    write_node(file, 0, kNone, kNone, 0, {});
    file.close();
  }

  void write_meta(Index n_nodes, int n_depths) {
    AGPT_REQUIRE(n_nodes < Index{1} << 31, "a leveled directory holds fewer than 2^31 nodes, but this would have " +
                                               std::to_string(n_nodes) + ": lower the depth");
    RecordWriter file(folder_.create(kMetaFile));
    file.put_u32(kLeveledMagic);
    file.put_u32(kLeveledVersion);
    file.put_u32(static_cast<uint32_t>(index_.depth()));
    file.put_u32(kNone);  // no largest number of starts
    file.put_u32(0);      // no offset
    file.put_u32(static_cast<uint32_t>(n_source_tokens(index_) - 1));
    file.put_u32(static_cast<uint32_t>(n_nodes));
    file.put_u32(static_cast<uint32_t>(n_depths));
    write_source(index_, file);
    file.close();
  }

  const TrieIndex& index_;
  OutputFolder& folder_;
};

// Rows with the ids of insertion. Those that a start is the first to run through end its path, so their ids are
// consecutive.
class SingleFileWriter {
 public:
  SingleFileWriter(const TrieIndex& index, std::unique_ptr<OutputFile> file)
      : index_(index),
        children_(index),
        first_(index, index.n_starts(), [&](Index i) { return start(i); }),
        creator_(static_cast<size_t>(index.n_nodes())),
        created_(static_cast<size_t>(index.n_nodes())),
        file_(std::move(file)) {}

  PathTotals write() {
    write_header();
    write_node(kNone, kNone, 0, {});
    for (Index i = 0; i < index_.n_starts(); ++i) insert(i);
    file_.close();
    return {next_id_};
  }

 private:
  // What a start created: rows of its path from a depth on.
  struct Created {
    uint32_t first_id;
    uint8_t first_depth;
  };

  // Where start number i is, in the order of the builder.
  Index start(Index i) const {
    const Index total = index_.n_tokens() - 1, count = index_.n_starts();
    if (count == total) return i;
    return (i * total / count + index_.options().starts.offset % total) % total;
  }

  uint32_t id_of_last_row(Index node) const {
    const Created& by = by_start_[creator_[static_cast<size_t>(node)]];
    return by.first_id + created_[static_cast<size_t>(node)] - by.first_depth;
  }

  // Follows a start through the index, and writes the rows that no start before it has reached.
  void insert(Index number) {
    const Index begin = start(number);
    const auto longest = static_cast<int>(std::min<Index>(index_.depth(), index_.n_tokens() - 1 - begin));
    by_start_.push_back({static_cast<uint32_t>(next_id_), 0});
    uint32_t parent = 0;
    Index node = -1;
    for (int depth = 0; depth < longest;) {
      node = children_.find(node, index_.token(begin + depth));
      const int end = std::min(longest, index_.depth(node));
      uint8_t& created = created_[static_cast<size_t>(node)];
      if (created < end) {
        if (created > depth) parent = id_of_last_row(node);
        for (int d = std::max<int>(created, depth) + 1; d <= end; ++d) parent = write_row(node, parent, d);
        created = static_cast<uint8_t>(end);
        creator_[static_cast<size_t>(node)] = static_cast<uint32_t>(number);
      } else if (created == index_.depth(node)) {
        parent = id_of_last_row(node);
      }
      depth = end;
    }
  }

  // Returns its id.
  uint32_t write_row(Index node, uint32_t parent, int depth) {
    Created& by = by_start_.back();
    if (by.first_depth == 0) by.first_depth = static_cast<uint8_t>(depth);
    ordered_.clear();
    const Index text = index_.text(node);
    if (depth < index_.depth(node)) {
      ordered_.push_back({index_.token(text + depth), index_.row_mass(node, depth)});
    } else {
      first_.entries(node, entries_);
      std::sort(entries_.begin(), entries_.end(),
                [](const SeenEntry& a, const SeenEntry& b) { return a.first < b.first; });
      for (const SeenEntry& entry : entries_) ordered_.push_back(entry.entry);
    }
    return write_node(parent, index_.token(text + depth - 1), depth, ordered_);
  }

  uint32_t write_node(uint32_t parent, Token token, int depth, std::span<const TokenCount> entries) {
    file_.put_u32(static_cast<uint32_t>(next_id_));
    file_.put_u32(parent);
    file_.put_u32(token);
    file_.put_u32(static_cast<uint32_t>(depth));
    write_entries(file_, entries);
    return static_cast<uint32_t>(next_id_++);
  }

  void write_header() {
    const Starts& starts = index_.options().starts;
    const bool has_maximum = starts.rule == Starts::Rule::max;
    file_.put_u32(kSingleMagic);
    file_.put_u32(kSingleVersion);
    file_.put_u32(static_cast<uint32_t>(index_.depth()));
    file_.put_u32(has_maximum ? static_cast<uint32_t>(starts.count) : kNone);
    file_.put_u32(has_maximum ? static_cast<uint32_t>(starts.offset) : 0);
    file_.put_u32(static_cast<uint32_t>(index_.n_starts()));
    file_.put_u32(static_cast<uint32_t>(index_.n_positions() + 1));
    write_source(index_, file_);
  }

  const TrieIndex& index_;
  ChildFinder children_;
  FirstStarts first_;
  std::vector<uint32_t> creator_;  // of each node: the start that created the last row of its edge so far
  std::vector<uint8_t> created_;   // of each node: the depth of that row; 0: there is none yet
  std::vector<Created> by_start_;
  Index next_id_ = 0;
  RecordWriter file_;
  // Of one row.
  std::vector<SeenEntry> entries_;
  std::vector<TokenCount> ordered_;
};

void require_unpruned(const TrieIndex& index, const std::string& what) {
  AGPT_REQUIRE(index.options().prune_min_mass == 1,
               what + " has every path, but the index was pruned: build one with --prune-min-mass 1");
}

}  // namespace

PathTotals export_leveled(const TrieIndex& index, OutputFolder& folder) {
  require_every_start(index, "a leveled directory");
  require_unpruned(index, "a leveled directory");
  if (index.options().corpus_end == CorpusEnd::exact) return LeveledWriter(index, folder).write();
  index.require_text("a leveled directory of a trie without the paths that run into the end");
  return LeveledWriter(rebuild_whole(index), folder).write();
}

PathTotals export_single(const TrieIndex& index, std::unique_ptr<OutputFile> file) {
  index.require_text("a single file, which is in the order of insertion,");
  require_unpruned(index, "a single file");
  if (index.options().starts.rule != Starts::Rule::max) require_every_start(index, "a single file");
  AGPT_REQUIRE(index.n_positions() < (Index{1} << 31) - 1,
               "a single file holds fewer than 2^31 nodes, but this would have " + std::to_string(index.n_positions()) +
                   ": lower the depth");
  if (index.options().corpus_end == CorpusEnd::exact) return SingleFileWriter(index, std::move(file)).write();
  return SingleFileWriter(rebuild_whole(index), std::move(file)).write();
}

}  // namespace agpt
