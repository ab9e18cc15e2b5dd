#include "cpp/interchange/radix_export.h"

#include <algorithm>
#include <map>

#include "cpp/base/error.h"
#include "cpp/interchange/export_parts.h"
#include "cpp/interchange/radix_order.h"
#include "cpp/interchange/reference_format.h"

namespace agpt {
namespace {

struct RecordTotals {
  Index n_records = 0, edge_tokens = 0;
  int deepest = 0;

  void add(const RadixRecord& record) {
    ++n_records;
    edge_tokens += record.depth - record.first_depth + 1;
    deepest = std::max(deepest, record.depth);
  }
};

void write_record(const TrieIndex& index, const RadixRecord& record, RecordWriter& file) {
  file.put_u32(record.id);
  file.put_u32(record.parent);
  file.put_u32(static_cast<uint32_t>(record.first_depth));
  file.put_u32(static_cast<uint32_t>(record.depth - record.first_depth + 1));
  for (int k = record.first_depth; k <= record.depth; ++k) file.put_u32(index.token(record.text + k - 1));
  file.put_u32(record.mass);
  write_entries(record.entries, file);
}

// Gives records to a function, the same each time it is called.
using Emitter = std::function<void(const RecordSink&)>;

// The files that hold one depth each, and meta.bin.
class DepthFiles {
 public:
  DepthFiles(const TrieIndex& index, OutputFolder& folder) : index_(index), folder_(folder) {}

  RadixTotals write(const Emitter& emit) {
    RecordTotals totals;
    std::vector<uint32_t> n_records(static_cast<size_t>(index_.depth()) + 1);
    emit([&](const RadixRecord& record) {
      totals.add(record);
      ++n_records[static_cast<size_t>(record.depth)];
    });
    std::vector<RecordWriter> files;
    for (int depth = 0; depth <= totals.deepest; ++depth) {
      RecordWriter& file = files.emplace_back(folder_.create(radix_file_name(depth)));
      file.put_u32(kRadixMagic);
      file.put_u32(static_cast<uint32_t>(depth));
      file.put_u32(n_records[static_cast<size_t>(depth)]);
    }
    emit([&](const RadixRecord& record) { write_record(index_, record, files[static_cast<size_t>(record.depth)]); });
    for (RecordWriter& file : files) file.close();
    write_meta(totals);
    return {totals.n_records, totals.edge_tokens};
  }

 private:
  void write_meta(const RecordTotals& totals) {
    RecordWriter file(folder_.create(kMetaFile));
    file.put_u32(kRadixMagic);
    file.put_u32(kRadixVersion);
    file.put_u32(static_cast<uint32_t>(totals.n_records + 1));
    file.put_u32(static_cast<uint32_t>(totals.deepest + 1));
    file.put_u64(static_cast<uint64_t>(totals.edge_tokens));
    write_source(index_, file);
    file.close();
  }

  const TrieIndex& index_;
  OutputFolder& folder_;
};

// The files that hold one subtree each, and the manifest.
class SubtreeWriter {
 public:
  SubtreeWriter(const TrieIndex& index, OutputFolder& folder) : index_(index), folder_(folder) {}

  // A subtree without records has no file; returns whether it has one.
  bool write(uint32_t key, const Emitter& emit) {
    RecordTotals totals;
    emit([&](const RadixRecord& record) { totals.add(record); });
    if (totals.n_records == 0) return false;
    RecordWriter file(folder_.create(subtree_file_name(key)));
    file.put_u32(kRadixMagic);
    file.put_u32(kRadixVersion);
    file.put_u32(key);
    file.put_u32(static_cast<uint32_t>(totals.n_records));
    file.put_u64(static_cast<uint64_t>(totals.edge_tokens));
    file.put_u32(static_cast<uint32_t>(totals.deepest));
    emit([&](const RadixRecord& record) { write_record(index_, record, file); });
    file.close();
    manifest_[key] = totals;
    return true;
  }

  void write_manifest() {
    RecordWriter file(folder_.create(kManifestFile));
    file.put_u32(kRadixMagic);
    file.put_u32(kRadixVersion);
    file.put_u32(static_cast<uint32_t>(manifest_.size()));
    for (const auto& [key, totals] : manifest_) {
      file.put_u32(key);
      file.put_u32(static_cast<uint32_t>(totals.n_records));
      file.put_u64(static_cast<uint64_t>(totals.edge_tokens));
      file.put_u32(static_cast<uint32_t>(totals.deepest));
    }
    file.close();
  }

 private:
  const TrieIndex& index_;
  OutputFolder& folder_;
  std::map<uint32_t, RecordTotals> manifest_;
};

// A range of nodes with the key of its file.
struct KeyedRange {
  uint32_t key;
  NodeRange nodes;
};

// The ranges in pre-order. Keys are those of bigrams: the key of a unigram is an id.
std::vector<KeyedRange> ranges_of(const TrieIndex& index, SubtreeFiles subtrees) {
  std::vector<KeyedRange> ranges;
  const TokenView label = index.columns().label;
  for (Index root = 0; root < index.n_nodes(); root = index.subtree_end(root)) {
    const Index end = index.subtree_end(root);
    if (subtrees == SubtreeFiles::unigram) {
      ranges.push_back({0, {root, end, 1}});
    } else if (index.depth(root) > 1) {
      ranges.push_back({bigram_key(label[root], index.token(index.text(root) + 1)), {root, end, 1}});
    } else {
      ranges.push_back({bigram_key(label[root], kNoSecondToken), {root, root + 1, 1}});
      for (Index child = root + 1; child < end; child = index.subtree_end(child))
        ranges.push_back({bigram_key(label[root], label[child]), {child, index.subtree_end(child), 2}});
    }
  }
  return ranges;
}

RadixTotals export_breadth_first(const TrieIndex& index, const EdgePruning& pruning, SubtreeFiles subtrees,
                                 OutputFolder& folder) {
  BreadthFirstOrder order(index, pruning);
  const RadixTotals totals =
      DepthFiles(index, folder).write([&](const RecordSink& sink) { order.emit({0, index.n_nodes(), 1}, sink); });
  if (subtrees == SubtreeFiles::none) return totals;
  SubtreeWriter files(index, folder);
  uint32_t next_root_id = 1;
  for (const KeyedRange& range : ranges_of(index, subtrees)) {
    const uint32_t key = subtrees == SubtreeFiles::unigram ? next_root_id : range.key;
    next_root_id += files.write(key, [&](const RecordSink& sink) { order.emit(range.nodes, sink); });
    order.pass(range.nodes);
  }
  files.write_manifest();
  return totals;
}

RadixTotals export_first_seen(const TrieIndex& index, const EdgePruning& pruning, SubtreeFiles subtrees,
                              OutputFolder& folder) {
  FirstSeenOrder order(index, pruning);
  const auto for_each_subtree = [&](const auto& visit) {
    uint32_t next_id = 1;
    for (Index root = 0; root < index.n_nodes(); root = index.subtree_end(root)) next_id += visit(root, next_id);
  };
  const RadixTotals totals = DepthFiles(index, folder).write([&](const RecordSink& sink) {
    for_each_subtree(
        [&](Index root, uint32_t first_id) { return static_cast<uint32_t>(order.emit(root, first_id, sink)); });
  });
  if (subtrees == SubtreeFiles::none) return totals;
  SubtreeWriter files(index, folder);
  for_each_subtree([&](Index root, uint32_t first_id) {
    Index n = 0;
    files.write(first_id, [&](const RecordSink& sink) { n = order.emit(root, first_id, sink); });
    return static_cast<uint32_t>(n);
  });
  files.write_manifest();
  return totals;
}

}  // namespace

BuilderOrder parse_builder_order(const std::string& text) {
  if (text == "a") return BuilderOrder::breadth_first;
  if (text == "b") return BuilderOrder::first_seen;
  throw ArgumentError("'" + text + "' is no order of a reference builder: choose a or b");
}

SubtreeFiles parse_subtree_level(int level) {
  AGPT_REQUIRE(level >= 0 && level <= 2,
               "the level of subtrees is " + std::to_string(level) + ", but must be 0 (none), 1 or 2");
  return static_cast<SubtreeFiles>(level);
}

RadixTotals export_radix(const TrieIndex& index, const RadixExport& options, OutputFolder& folder) {
  require_every_start(index, "a radix directory");
  if (options.subtrees == SubtreeFiles::bigram) {
    AGPT_REQUIRE(options.order == BuilderOrder::breadth_first,
                 "subtrees of bigrams exist in the order of builder A only: choose order a or level 1");
    AGPT_REQUIRE(index.vocabulary_size() <= kNoSecondToken,
                 "subtrees of bigrams have keys for 255 token ids, but the vocabulary has " +
                     std::to_string(index.vocabulary_size()) + ": choose level 1");
  }
  EdgePruning pruning{options.prune_min_mass, options.prune_min_depth};
  const bool is_pruned = index.options().prune_min_mass > 1;
  AGPT_REQUIRE(pruning.min_mass == 1 || !is_pruned, "the index is pruned already: export it as it is");
  if (options.order == BuilderOrder::breadth_first)
    return export_breadth_first(index, pruning, options.subtrees, folder);
  index.require_text("the order of builder B");
  if (!is_pruned) return export_first_seen(index, pruning, options.subtrees, folder);
  pruning = {index.options().prune_min_mass, index.options().prune_min_depth};
  return export_first_seen(rebuild_whole(index), pruning, options.subtrees, folder);
}

}  // namespace agpt
