#include "cpp/train/evaluation.h"

#include <algorithm>
#include <memory>

#include "cpp/base/error.h"
#include "cpp/rows/shared_windows.h"
#include "cpp/rows/window_rows.h"

namespace agpt {
namespace {

std::vector<ScoredWindow> document_windows(const TextView& text, Index context) {
  std::vector<ScoredWindow> windows;
  for (size_t i = 0; i < text.document_starts.size(); ++i) {
    const Index begin = text.document_starts[i],
                end = i + 1 < text.document_starts.size() ? text.document_starts[i + 1] : text.n_tokens();
    windows.push_back({begin, std::min(end, begin + context + 1), 0});
  }
  return windows;
}

std::vector<ScoredWindow> text_windows(const TextView& text, Index context, Index stride) {
  std::vector<ScoredWindow> windows;
  const Index n_predictions = text.n_tokens() - 1;
  windows.push_back({0, std::min(context, n_predictions) + 1, 0});
  for (Index scored = windows.back().end - 1; scored < n_predictions;) {
    const Index end = std::min(scored + stride, n_predictions), begin = end - context;
    windows.push_back({begin, end + 1, scored - begin});
    scored = end;
  }
  return windows;
}

// Where windows score few of their rows, the others are leading ghosts, of which the last layer computes no more than
// keys and values, and equal beginnings are computed once (1.7 times as fast at context 32, stride 1:
// benchmarks/evaluation_speed.py).
bool scores_few(const TextView& text, Index context, Index stride) {
  return text.document_starts.empty() && stride <= context / 4;
}

}  // namespace

StepWork evaluation_work(TextView text, Index context, Index stride, Index batch_rows) {
  AGPT_REQUIRE(text.n_tokens() >= 2,
               "the text to evaluate has " + std::to_string(text.n_tokens()) + " tokens: at least 2 are needed");
  AGPT_REQUIRE(context >= 1, "the context must be at least 1");
  AGPT_REQUIRE(stride >= 1 && stride <= context, "the stride is " + std::to_string(stride) +
                                                     ", but must be from 1 to the context, " + std::to_string(context));
  std::vector<ScoredWindow> list =
      text.document_starts.empty() ? text_windows(text, context, stride) : document_windows(text, context);
  const bool are_shared = scores_few(text, context, stride);
  if (are_shared) sort_by_beginning(text.tokens, list);
  const auto windows = std::make_shared<const std::vector<ScoredWindow>>(std::move(list));
  const Index per_batch = std::max<Index>(1, batch_rows / context), n_windows = static_cast<Index>(windows->size());
  return {(n_windows + per_batch - 1) / per_batch,
          [text = std::move(text), windows, per_batch, n_windows, are_shared](Index number, RowBatch& batch) {
            const Index first = number * per_batch, end = std::min(n_windows, first + per_batch);
            const auto here = std::span(*windows).subspan(static_cast<size_t>(first), static_cast<size_t>(end - first));
            if (are_shared) return append_shared_windows(text.tokens, here, batch);
            for (const ScoredWindow& window : here)
              append_window_rows([&](Index i) { return text.tokens[window.begin + i]; }, window.end - window.begin - 1,
                                 batch, window.first_scored);
          }};
}

}  // namespace agpt
