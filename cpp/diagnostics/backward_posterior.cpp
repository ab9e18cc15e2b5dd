#include "cpp/diagnostics/backward_posterior.h"

#include <algorithm>
#include <cmath>

#include "cpp/base/error.h"
#include "cpp/base/memory.h"
#include "cpp/diagnostics/sorted_windows.h"
#include "cpp/trie/trie_walk.h"

namespace agpt {
namespace {

// For each token of the text the mass of the path whose context begins there; 0 where none does. Different paths of
// one length stand at different places, so they never meet.
std::vector<uint32_t> masses_by_context_start(const TrieIndex& index, int length) {
  std::vector<uint32_t> masses(static_cast<size_t>(index.n_tokens()), 0);
  TrieWalk walk(index, 0);
  for (TrieEdge edge; walk.next(edge);)
    if (edge.parent_depth < length && length <= edge.depth)
      masses[static_cast<size_t>(edge.text) + 1] = walk.row_mass(length);
  return masses;
}

std::vector<uint32_t> places_of(const std::vector<uint32_t>& masses) {
  std::vector<uint32_t> places;
  places.reserve(masses.size() - static_cast<size_t>(std::count(masses.begin(), masses.end(), 0u)));
  for (uint32_t i = 0; i < masses.size(); ++i)
    if (masses[i] > 0) places.push_back(i);
  return places;
}

}  // namespace

BackwardPosterior backward_posterior(const TrieIndex& index, int length) {
  AGPT_REQUIRE(1 <= length && length <= index.depth(), "the path length is " + std::to_string(length) +
                                                           ", but must be from 1 to the depth of the index, " +
                                                           std::to_string(index.depth()));
  // The masses, the places before they are sorted, and the result at its largest.
  const MemoryReservation reserved(static_cast<size_t>(index.n_tokens()) * (2 * sizeof(uint32_t) + 20),
                                   "the backward posterior");
  const std::vector<uint32_t> masses = masses_by_context_start(index, length);
  const int context = length - 1;
  const SortedWindows windows(index.tokens(), places_of(masses), std::max(context, 1));
  const auto mass = [&](Index i) { return masses[windows.start(i)]; };
  BackwardPosterior result;
  result.n_paths = windows.size();
  for (Index begin = 0, end; begin < windows.size(); begin = end) {
    uint32_t total = mass(begin);
    for (end = begin + 1; end < windows.size() && windows.shared(end) >= context; ++end) total += mass(end);
    double entropy = 0;
    for (Index i = begin; i < end; ++i) entropy += mass(i) * std::log(static_cast<double>(total) / mass(i));
    result.start.push_back(windows.start(begin));
    result.mass.push_back(total);
    result.support.push_back(static_cast<uint32_t>(end - begin));  // one path for each token that precedes
    result.entropy.push_back(entropy / total);
  }
  return result;
}

}  // namespace agpt
