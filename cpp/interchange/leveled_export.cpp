#include "cpp/interchange/leveled_export.h"

#include "cpp/base/error.h"
#include "cpp/interchange/export_parts.h"
#include "cpp/interchange/reference_format.h"
#include "cpp/trie/trie_walk.h"

namespace agpt {
namespace {

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

  Index write() {
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
    return first;
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
    write_entries(entries, file);
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

}  // namespace

Index export_leveled(const TrieIndex& index, OutputFolder& folder) {
  require_every_start(index, "a leveled directory");
  require_unpruned(index, "a leveled directory");
  if (index.options().corpus_end == CorpusEnd::exact) return LeveledWriter(index, folder).write();
  index.require_text("a leveled directory of a trie without the paths that run into the end");
  return LeveledWriter(rebuild_whole(index), folder).write();
}

}  // namespace agpt
