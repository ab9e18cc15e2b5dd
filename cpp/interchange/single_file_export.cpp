#include "cpp/interchange/single_file_export.h"

#include <algorithm>

#include "cpp/base/error.h"
#include "cpp/interchange/export_parts.h"
#include "cpp/interchange/first_starts.h"
#include "cpp/interchange/reference_format.h"

namespace agpt {
namespace {

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

  Index write() {
    write_header();
    write_node(kNone, kNone, 0, {});
    for (Index i = 0; i < index_.n_starts(); ++i) insert(i);
    file_.close();
    return next_id_;
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
    write_entries(entries, file_);
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

}  // namespace

Index export_single(const TrieIndex& index, std::unique_ptr<OutputFile> file) {
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
