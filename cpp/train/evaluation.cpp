#include "cpp/train/evaluation.h"

#include <algorithm>
#include <memory>

#include "cpp/base/error.h"
#include "cpp/rows/window_rows.h"

namespace agpt {
namespace {

struct Window {
  Index begin, end;    // tokens; the last one is only a target
  Index first_scored;  // positions before it are context
};

std::vector<Window> document_windows(const TextView& text, Index context) {
  std::vector<Window> windows;
  for (size_t i = 0; i < text.document_starts.size(); ++i) {
    const Index begin = text.document_starts[i],
                end = i + 1 < text.document_starts.size() ? text.document_starts[i + 1] : text.n_tokens();
    windows.push_back({begin, std::min(end, begin + context + 1), 0});
  }
  return windows;
}

std::vector<Window> text_windows(const TextView& text, Index context, Index stride) {
  std::vector<Window> windows;
  const Index n_predictions = text.n_tokens() - 1;
  windows.push_back({0, std::min(context, n_predictions) + 1, 0});
  for (Index scored = windows.back().end - 1; scored < n_predictions;) {
    const Index end = std::min(scored + stride, n_predictions), begin = end - context;
    windows.push_back({begin, end + 1, scored - begin});
    scored = end;
  }
  return windows;
}

// A window that scores few of its rows is a batch of its own: the rest are then leading ghosts, of which the last layer
// computes no more than keys and values (1.5 times as fast at context 32, stride 1: benchmarks/evaluation_speed.py).
Index windows_per_batch(const TextView& text, Index context, Index stride, Index batch_rows) {
  if (text.document_starts.empty() && stride <= context / 4) return 1;
  return std::max<Index>(1, batch_rows / context);
}

}  // namespace

StepWork evaluation_work(TextView text, Index context, Index stride, Index batch_rows) {
  AGPT_REQUIRE(text.n_tokens() >= 2,
               "the text to evaluate has " + std::to_string(text.n_tokens()) + " tokens: at least 2 are needed");
  AGPT_REQUIRE(context >= 1, "the context must be at least 1");
  AGPT_REQUIRE(stride >= 1 && stride <= context, "the stride is " + std::to_string(stride) +
                                                     ", but must be from 1 to the context, " + std::to_string(context));
  const auto windows = std::make_shared<const std::vector<Window>>(
      text.document_starts.empty() ? text_windows(text, context, stride) : document_windows(text, context));
  const Index per_batch = windows_per_batch(text, context, stride, batch_rows),
              n_windows = static_cast<Index>(windows->size());
  return {(n_windows + per_batch - 1) / per_batch,
          [text = std::move(text), windows, per_batch, n_windows](Index number, RowBatch& batch) {
            std::vector<Token> tokens;
            for (Index w = number * per_batch; w < std::min(n_windows, (number + 1) * per_batch); ++w) {
              const Window& window = (*windows)[static_cast<size_t>(w)];
              tokens.clear();
              for (Index t = window.begin; t < window.end; ++t) tokens.push_back(text.tokens[t]);
              append_window_rows<Token>(tokens, batch, window.first_scored);
            }
          }};
}

}  // namespace agpt
