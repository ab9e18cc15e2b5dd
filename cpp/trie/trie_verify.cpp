#include "cpp/trie/trie_verify.h"

#include <algorithm>
#include <cstring>

#include "cpp/corpus/split.h"
#include "cpp/corpus/token_hash.h"
#include "cpp/trie/index_builder.h"
#include "cpp/trie/index_structure.h"
#include "cpp/trie/start_set.h"
#include "cpp/trie/trie_recount.h"

namespace agpt {
namespace {

// How many documents the tokens are; -1 if they are not documents with their two boundaries each.
Index count_documents(TokenView tokens, Token boundary) {
  Index n_boundaries = 0;
  for (Index i = 0; i < tokens.size(); ++i) {
    if (tokens[i] == boundary) {
      ++n_boundaries;
    } else if (n_boundaries % 2 == 0) {
      return -1;  // between two documents
    }
  }
  return n_boundaries % 2 == 0 ? n_boundaries / 2 : -1;
}

class Verifier {
 public:
  explicit Verifier(const TrieIndex& index) : index_(index), depth_(static_cast<size_t>(index.depth())) {}

  std::vector<std::string> run() {
    if (content_checksum(index_.bytes()) != index_.header().content_checksum) {
      report("the checksum of the content is wrong: the file is damaged");
    } else if (const auto fault = find_structure_fault(index_.header(), index_.columns(), index_.bytes())) {
      report(*fault);
    } else if (index_.has_text() && text_is_sound()) {
      check_trie();
    }
    if (n_violations_ > kShown)
      violations_.push_back("and " + std::to_string(n_violations_ - kShown) + " more violations");
    return std::move(violations_);
  }

 private:
  static constexpr size_t kShown = 20;

  void report(std::string sentence) {
    if (++n_violations_ <= kShown) violations_.push_back(std::move(sentence));
  }
  bool require_equal(const std::string& what, uint64_t stored, uint64_t found) {
    if (stored == found) return true;
    report(what + " is " + std::to_string(stored) + ", but should be " + std::to_string(found));
    return false;
  }

  bool text_is_sound() {
    const TokenView training = index_.tokens(), held_out = index_.held_out();
    require_equal("the hash of the training tokens", index_.token_hash(), token_hash(training));
    Index n_training = training.size(), n_held_out = held_out.size();
    if (const std::optional<Token> boundary = index_.vocabulary().boundary()) {
      n_training = count_documents(training, *boundary);
      n_held_out = count_documents(held_out, *boundary);
      if (n_training < 0 || n_held_out < 0) {
        report("the text is not a list of documents that begin and end with the boundary " + std::to_string(*boundary));
        return false;
      }
    }
    require_equal(index_.has_documents() ? "the number of documents held out" : "the number of tokens held out",
                  static_cast<uint64_t>(n_held_out),
                  static_cast<uint64_t>(held_out_part(n_training + n_held_out, index_.options().val_fraction)));
    return true;
  }

  void check_trie() {
    const std::optional<Token> boundary = index_.vocabulary().boundary();
    std::vector<uint32_t> starts = choose_starts(index_.tokens(), boundary, index_.options().starts);
    require_equal("the number of starts", index_.header().n_starts, starts.size());
    const PathLimits limits(index_.tokens(), boundary);
    const std::vector<uint64_t> reached = starts_that_reach(starts, limits);
    size_t n_before = n_violations_;
    const RecountTotals totals = recount_trie(index_, limits, starts, [this](std::string s) { report(std::move(s)); });
    if (n_violations_ == n_before) check_totals(totals, reached);
  }

  // By depth: starts whose path has a row there.
  std::vector<uint64_t> starts_that_reach(const std::vector<uint32_t>& starts, const PathLimits& limits) const {
    std::vector<uint64_t> reached(depth_ + 1);
    for (const uint32_t start : starts)
      ++reached[static_cast<size_t>(std::min<Index>(index_.depth(), limits.n_rows(start)))];
    for (size_t d = depth_; d-- > 0;) reached[d] += reached[d + 1];
    return reached;
  }

  void check_totals(const RecountTotals& totals, const std::vector<uint64_t>& reached) {
    const IndexColumns& columns = index_.columns();
    const auto check = [&](const char* what, std::span<const uint64_t> stored, const std::vector<uint64_t>& found) {
      for (size_t d = 0; d <= depth_; ++d)
        require_equal("the total of " + std::string(what) + " of depth " + std::to_string(d), stored[d], found[d]);
    };
    check("rows", columns.position_counts, totals.rows);
    check("shared rows", columns.shared_counts, totals.shared);
    check("nodes", columns.node_counts, totals.nodes);
    check("masses", columns.mass_counts, totals.mass);
    uint64_t total_mass = 0;
    for (size_t d = 1; d <= depth_; ++d) {
      // Conservation: a start that reaches this deep is on a row, or on one that was dropped by a rule.
      require_equal("the total of masses and dropped starts of depth " + std::to_string(d),
                    columns.mass_counts[d] + totals.dropped[d], reached[d]);
      total_mass += totals.mass[d];
    }
    require_equal("the sum of all masses", index_.header().total_mass, total_mass);
    require_equal("the number of targets", index_.header().n_entries, totals.n_entries);
  }

  const TrieIndex& index_;
  const size_t depth_;
  std::vector<std::string> violations_;
  size_t n_violations_ = 0;
};

}  // namespace

std::vector<std::string> verify_trie_index(const TrieIndex& index) { return Verifier(index).run(); }

std::vector<std::string> verify_by_rebuilding(const TrieIndex& index, int n_threads) {
  const CorpusSplit split{TokenArray::referring_to(index.tokens()), TokenArray::referring_to(index.held_out())};
  const TrieIndex again = build_trie_index(split, index.vocabulary(), index.options(), n_threads);
  std::vector<std::string> differences;
  const auto compare = [&](const std::string& what, std::span<const std::byte> ours,
                           std::span<const std::byte> theirs) {
    if (!std::ranges::equal(ours, theirs)) differences.push_back(what + " differs from that of an index built anew");
  };
  for (size_t c = 0; c < kColumns; ++c) {
    const auto column = [&](const TrieIndex& of) {
      return of.bytes().subspan(of.header().column_offset[c], of.header().column_bytes[c]);
    };
    compare("the column " + std::string(column_name(static_cast<Column>(c))), column(index), column(again));
  }
  compare("the header", index.bytes().first(sizeof(IndexHeader)), again.bytes().first(sizeof(IndexHeader)));
  if (differences.empty()) compare("the space between the columns", index.bytes(), again.bytes());
  return differences;
}

}  // namespace agpt
