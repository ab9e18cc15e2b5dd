#include "cpp/train/evaluation.h"

#include <doctest/doctest.h>

#include <map>
#include <numeric>

#include "cpp/base/error.h"

namespace agpt {
namespace {

/// A text whose token i is i, so that a row tells where it came from.
TextView counting_text(Index n, std::vector<Index> document_starts = {}) {
  static const std::vector<uint32_t> numbers = [] {
    std::vector<uint32_t> values(64);
    std::iota(values.begin(), values.end(), 0u);
    return values;
  }();
  return {TokenView(std::span(numbers)).subview(0, n), std::move(document_starts)};
}

/// Length of the context that each token was predicted from, by token.
std::map<int32_t, int32_t> contexts(const StepWork& work) {
  std::map<int32_t, int32_t> lengths;
  for (Index b = 0; b < work.n_batches; ++b) {
    RowBatch batch;
    work.build(b, batch);
    for (Index r = 0; r < batch.n_rows(); ++r) {
      const auto row = static_cast<size_t>(r);
      if (batch.weight[row] == 0) continue;
      CHECK(batch.target_token[static_cast<size_t>(batch.target_begin[row])] == batch.token[row] + 1);
      CHECK(lengths.emplace(batch.token[row] + 1, batch.position[row] + 1).second);  // predicted once
    }
  }
  return lengths;
}

TEST_CASE(
    "every token but the first is predicted once, with a context between the stride's promise and the whole context") {
  for (const Index n : {2, 3, 9, 10, 11, 12, 50})
    for (const Index context : {1, 2, 5, 10, 64})
      for (Index stride = 1; stride <= context; ++stride)
        for (const Index batch_rows : {1, 7, 256}) {
          const std::map<int32_t, int32_t> lengths =
              contexts(evaluation_work(counting_text(n), context, stride, batch_rows));
          CHECK(static_cast<Index>(lengths.size()) == n - 1);
          for (const auto& [token, length] : lengths) {
            CHECK(length <= context);
            CHECK(length >= std::min<Index>(token, stride == context ? 1 : context - stride + 1));
          }
        }
}

TEST_CASE("stride 1 gives every prediction the full context that exists") {
  for (const auto& [token, length] : contexts(evaluation_work(counting_text(40), 8, 1, 256)))
    CHECK(length == std::min(token, 8));
}

TEST_CASE("documents are scored apart, each from its own beginning") {
  const std::map<int32_t, int32_t> lengths = contexts(evaluation_work(counting_text(12, {0, 4, 9}), 3, 3, 256));
  CHECK(lengths == std::map<int32_t, int32_t>{{1, 1}, {2, 2}, {3, 3}, {5, 1}, {6, 2}, {7, 3}, {10, 1}, {11, 2}});
}

TEST_CASE("a text of one token and a stride beyond the context are refused") {
  CHECK_THROWS_AS(evaluation_work(counting_text(1), 4, 4, 256), ArgumentError);
  CHECK_THROWS_AS(evaluation_work(counting_text(9), 4, 5, 256), ArgumentError);
  CHECK_THROWS_AS(evaluation_work(counting_text(9), 4, 0, 256), ArgumentError);
}

}  // namespace
}  // namespace agpt
