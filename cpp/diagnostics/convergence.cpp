#include "cpp/diagnostics/convergence.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>

#include "cpp/base/error.h"
#include "cpp/diagnostics/sorted_windows.h"
#include "cpp/trie/index_layout.h"

namespace agpt {
namespace {

constexpr int kAlphabet = 256;
constexpr double kSmoothing = 1e-6;

double log_probability(Index n, Index n_before) {
  return std::log((static_cast<double>(n) + kSmoothing) / (static_cast<double>(n_before) + kAlphabet * kSmoothing));
}

std::vector<uint32_t> every_place(size_t n) {
  std::vector<uint32_t> places(n);
  std::iota(places.begin(), places.end(), 0u);
  return places;
}

// A text with its sorted windows. A path is the range of windows that begin with it.
class PathCounts {
 public:
  struct Range {
    Index begin, end;
    Index size() const { return end - begin; }
  };
  using Histogram = std::array<Index, kAlphabet>;

  PathCounts(std::span<const uint8_t> text, int depth)
      : text_(text), windows_(TokenView(text), every_place(text.size()), depth) {}

  Range root() const { return {0, windows_.size()}; }
  uint32_t start(Range path) const { return windows_.start(path.begin); }

  // The windows of a path of `length` bytes that go on, without the one that ends with the text: that comes first.
  Range continued(Range path, int length) const {
    const bool ends = path.size() > 0 && byte_at(path.begin, length) < 0;
    return {path.begin + ends, path.end};
  }
  // The first of the children that make up `rest`, a tail of continued(); their byte is byte_at(rest.begin, length).
  Range first_child(Range rest, int length) const {
    Index end = rest.begin + 1;
    while (end < rest.end && windows_.shared(end) > length) ++end;
    return {rest.begin, end};
  }
  // The byte of a window; -1 behind the end of the text.
  int byte_at(Index window, int offset) const {
    const size_t at = windows_.start(window) + static_cast<size_t>(offset);
    return at < text_.size() ? text_[at] : -1;
  }
  // How often each byte stands `offset` bytes behind the start of the path's windows.
  void count_bytes(Range path, int offset, Histogram& counts) const {
    counts.fill(0);
    for (Index i = path.begin; i < path.end; ++i)
      if (const int byte = byte_at(i, offset); byte >= 0) ++counts[static_cast<size_t>(byte)];
  }

 private:
  std::span<const uint8_t> text_;
  SortedWindows windows_;
};

// Walks the paths of both texts side by side.
class SharedPathWalk {
 public:
  SharedPathWalk(std::span<const uint8_t> a, std::span<const uint8_t> b, const ConvergenceOptions& options)
      : options_(options), a_(a, options.depth), b_(b, options.depth) {
    if (options.reference_bug) skipping_.resize(static_cast<size_t>(options.depth));
  }

  SharedPaths run() {
    visit_children({a_.root(), b_.root(), 0, 0, 0, 0});
    return std::move(found_);
  }

 private:
  using Range = PathCounts::Range;
  struct Path {
    Range a, b;
    int length;
    double log_p_a, log_p_b, log_p_min;
  };
  struct TwoHistograms {
    PathCounts::Histogram a, b;
  };

  void visit_children(const Path& path) {
    if (options_.reference_bug) {
      TwoHistograms& counts = skipping_[static_cast<size_t>(path.length)];
      a_.count_bytes(path.a, path.length + 1, counts.a);
      b_.count_bytes(path.b, path.length + 1, counts.b);
    }
    Range rest_a = a_.continued(path.a, path.length), rest_b = b_.continued(path.b, path.length);
    while (rest_a.size() > 0 && rest_b.size() > 0) {
      const int byte_a = a_.byte_at(rest_a.begin, path.length), byte_b = b_.byte_at(rest_b.begin, path.length);
      const Range child_a = a_.first_child(rest_a, path.length), child_b = b_.first_child(rest_b, path.length);
      if (byte_a == byte_b && std::min(child_a.size(), child_b.size()) >= options_.min_count)
        visit(child_of(path, static_cast<size_t>(byte_a), child_a, child_b));
      if (byte_a <= byte_b) rest_a.begin = child_a.end;
      if (byte_b <= byte_a) rest_b.begin = child_b.end;
    }
  }

  Path child_of(const Path& path, size_t byte, Range a, Range b) const {
    Index n_a = a.size(), n_b = b.size();
    if (options_.reference_bug) {
      const TwoHistograms& counts = skipping_[static_cast<size_t>(path.length)];
      n_a = counts.a[byte];
      n_b = counts.b[byte];
    }
    const double log_a = log_probability(n_a, path.a.size()), log_b = log_probability(n_b, path.b.size());
    return {
        a, b, path.length + 1, path.log_p_a + log_a, path.log_p_b + log_b, std::min({path.log_p_min, log_a, log_b})};
  }

  void visit(const Path& path) {
    if (found_.depth.size() == room_) make_room();
    found_.depth.push_back(static_cast<uint8_t>(path.length));
    found_.start.push_back(a_.start(path.a));
    found_.count_a.push_back(static_cast<uint32_t>(path.a.size()));
    found_.count_b.push_back(static_cast<uint32_t>(path.b.size()));
    found_.log_p_a.push_back(path.log_p_a);
    found_.log_p_b.push_back(path.log_p_b);
    found_.log_p_min.push_back(path.log_p_min);
    if (path.length < options_.depth) visit_children(path);
  }

  // Nobody knows beforehand how many paths two texts share, so what they take is claimed as they come.
  void make_room() {
    constexpr size_t kBytesPerPath = 1 + 3 * sizeof(uint32_t) + 3 * sizeof(double);
    room_ = std::max<size_t>(2 * room_, 1024);
    reserved_ = MemoryReservation();
    reserved_ = MemoryReservation(room_ * kBytesPerPath, "the shared paths");
  }

  const ConvergenceOptions options_;
  const PathCounts a_, b_;
  std::vector<TwoHistograms> skipping_;  // by length of the path that is being visited
  SharedPaths found_;
  size_t room_ = 0;  // paths that are paid for
  MemoryReservation reserved_;
};

void require_size(std::span<const uint8_t> text) {
  AGPT_REQUIRE(!text.empty() && static_cast<Index>(text.size()) < kMaxTokens,
               "a text has " + std::to_string(text.size()) + " bytes, but must have 1 to 2^31 - 1");
}

}  // namespace

SharedPaths shared_paths(std::span<const uint8_t> a, std::span<const uint8_t> b, const ConvergenceOptions& options) {
  AGPT_REQUIRE(
      1 <= options.depth && options.depth <= kMaxDepth,
      "the depth is " + std::to_string(options.depth) + ", but must be from 1 to " + std::to_string(kMaxDepth));
  AGPT_REQUIRE(options.min_count >= 1,
               "the least count is " + std::to_string(options.min_count) + ", but must be at least 1");
  require_size(a);
  require_size(b);
  return SharedPathWalk(a, b, options).run();
}

}  // namespace agpt
