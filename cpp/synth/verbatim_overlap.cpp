#include "cpp/synth/verbatim_overlap.h"

#include "cpp/base/error.h"
#include "cpp/base/memory.h"
#include "cpp/synth/suffix_automaton.h"

namespace agpt {

VerbatimOverlap measure_verbatim_overlap(TokenView corpus, TokenView text, const OverlapProgress& progress) {
  AGPT_REQUIRE(corpus.size() < Index{1} << 31, "the corpus has " + std::to_string(corpus.size()) +
                                                   " tokens, but overlaps are found in fewer than 2^31");
  constexpr size_t kTokensBetweenReports = size_t{1} << 18;
  const auto n_corpus = static_cast<size_t>(corpus.size()), n_text = static_cast<size_t>(text.size());
  const auto report = [&](size_t n_read) {
    if (progress && n_read % kTokensBetweenReports == 0)
      progress(static_cast<double>(n_read) / static_cast<double>(n_corpus + n_text));
  };
  const MemoryReservation reserved(n_text * sizeof(uint32_t), "the overlaps with the corpus");
  VerbatimOverlap overlap;
  overlap.lengths.resize(n_text);
  corpus.visit([&]<class Id>(std::span<const Id> ids) {
    const SuffixAutomaton<Id> automaton(ids, report);
    typename SuffixAutomaton<Id>::Match match;
    for (size_t i = 0; i < n_text; ++i) {
      match = automaton.extend(match, text[static_cast<Index>(i)]);
      overlap.lengths[i] = match.length;
      if (match.length > overlap.longest) {
        overlap.longest = match.length;
        overlap.longest_at = static_cast<Index>(i) + 1 - match.length;
        overlap.longest_in_corpus = automaton.begin(match);
      }
      report(n_corpus + i + 1);
    }
  });
  if (progress) progress(1);
  return overlap;
}

}  // namespace agpt
