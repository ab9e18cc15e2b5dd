// A text as bindings get it: arrays of tokens and of where documents begin.
#pragma once

#include <nanobind/ndarray.h>

#include "cpp/base/error.h"
#include "cpp/train/step_source.h"
#include "python/src/bindings.h"

template <class Id>
using Ids = nb::ndarray<const Id, nb::ndim<1>, nb::c_contig, nb::device::cpu>;

/// A view of the arrays: the caller keeps them alive.
template <class Id>
agpt::TextView text_view(const Ids<Id>& tokens, const Ids<int64_t>& document_starts) {
  agpt::TextView text;
  text.tokens = agpt::TokenView(std::span(tokens.data(), tokens.size()));
  text.document_starts.assign(document_starts.data(), document_starts.data() + document_starts.size());
  for (size_t i = 0; i < text.document_starts.size(); ++i) {
    const agpt::Index before = i == 0 ? 0 : text.document_starts[i - 1] + 1;
    AGPT_REQUIRE(text.document_starts[i] >= before && text.document_starts[i] < text.n_tokens(),
                 "document starts must ascend within the text");
  }
  return text;
}
