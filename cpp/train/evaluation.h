// Held-out evaluation: which windows are scored, and the mean loss over them.
#pragma once

#include "cpp/train/step_source.h"

namespace agpt {

/// Windows of `context` tokens every `stride` tokens, each starting with an empty context; a window scores its last
/// `stride` positions, the first window all of them, so every token but the first is predicted exactly once. stride =
/// context scores every position of disjoint windows; stride = 1 gives every prediction (but the first few) the full
/// context. With documents, each document is one window of its own, cut at the context, and stride is unused.
StepWork evaluation_work(TextView text, Index context, Index stride, Index batch_rows);

}  // namespace agpt
