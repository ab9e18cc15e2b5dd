#include "cpp/train/batches_ahead.h"

#include <doctest/doctest.h>

#include <map>
#include <stdexcept>
#include <thread>
#include <utility>

#include "cpp/rows/window_rows.h"

namespace agpt::test {
namespace {

/// A work of `n` batches of one window each, of 1 to 9 rows; the tokens of the rows count on from `first`.
StepWork counting_work(Index n, Token first) {
  return {n, [first](Index number, RowBatch& batch) {
            const auto token_at = [&](Index i) { return first + static_cast<Token>(number * 10 + i); };
            append_window_rows(token_at, 1 + number * 7 % 9, batch);
          }};
}

std::vector<int32_t> tokens_one_by_one(const StepWork& work) {
  RowBatch batch;
  for (Index i = 0; i < work.n_batches; ++i) work.build(i, batch);
  return batch.token;
}

/// Works 0, 1, ... n - 1 of their own tokens.
BatchesAhead::NextWork works(int n) {
  return [n, next = 0]() mutable -> std::optional<StepWork> {
    if (next == n) return std::nullopt;
    const auto first = static_cast<Token>(1000 * next++);
    return counting_work(37, first);
  };
}

TEST_CASE("joined batches are the rows of each work in order, with tiles, the same for every number of threads") {
  for (const Index joined_rows : {1, 20, 64, 10000}) {
    std::map<int, std::vector<size_t>> sizes;
    for (const int threads : {1, 2, 5}) {
      BatchesAhead ahead(threads, joined_rows, 16);
      ahead.start(works(6));
      for (Token number = 0; number < 6; ++number) {
        std::vector<int32_t> tokens;
        const RowBatch* next = ahead.next_batch();  // null where it is not ready
        ahead.take_work([&](const RowBatch& batch) {
          if (next != nullptr) CHECK(std::exchange(next, nullptr) == &batch);
          CHECK(batch.n_rows() < joined_rows + 10);
          CHECK(!batch.tiles.empty());
          CHECK(batch.tiles.back().first_row + batch.tiles.back().n_rows == batch.n_rows());
          tokens.insert(tokens.end(), batch.token.begin(), batch.token.end());
          sizes[threads].push_back(batch.token.size());
        });
        CHECK(tokens == tokens_one_by_one(counting_work(37, 1000 * number)));
      }
    }
    CHECK(sizes[1] == sizes[2]);
    CHECK(sizes[1] == sizes[5]);
  }
}

TEST_CASE("the next batch is known when it is ready, and there is none behind the last work") {
  BatchesAhead ahead(1, 10000, 16);
  CHECK(ahead.next_batch() == nullptr);
  ahead.start(works(2));
  while (ahead.next_batch() == nullptr) std::this_thread::yield();
  CHECK(ahead.next_batch()->token == tokens_one_by_one(counting_work(37, 0)));
  for (int number = 0; number < 2; ++number) ahead.take_work([](const RowBatch&) {});
  CHECK(ahead.next_batch() == nullptr);
}

TEST_CASE("a work without batches is taken, and so is what follows it") {
  BatchesAhead ahead(2, 100, 8);
  ahead.start([next = 0]() mutable { return std::optional(counting_work(next++ % 2 * 3, 0)); });
  for (int i = 0; i < 10; ++i) {
    Index rows = 0;
    ahead.take_work([&](const RowBatch& batch) { rows += batch.n_rows(); });
    CHECK((rows > 0) == (i % 2 == 1));
  }
}

TEST_CASE("what a build, a source or the taker throws ends the work, and other works can start") {
  BatchesAhead ahead(3, 20, 8);
  const auto ignore = [](const RowBatch&) {};
  ahead.start([] {
    StepWork work = counting_work(30, 0);
    return std::optional(StepWork{30, [build = work.build](Index i, RowBatch& batch) {
                                    if (i == 17) throw std::runtime_error("broken batch");
                                    build(i, batch);
                                  }});
  });
  CHECK_THROWS_WITH(ahead.take_work(ignore), "broken batch");
  ahead.start([]() -> std::optional<StepWork> { throw std::runtime_error("broken source"); });
  CHECK_THROWS_WITH(ahead.take_work(ignore), "broken source");
  ahead.start(works(3));
  CHECK_THROWS_WITH(ahead.take_work([](const RowBatch&) { throw std::runtime_error("stop"); }), "stop");
  ahead.start(works(1));
  std::vector<int32_t> tokens;
  ahead.take_work([&](const RowBatch& batch) { tokens.insert(tokens.end(), batch.token.begin(), batch.token.end()); });
  CHECK(tokens == tokens_one_by_one(counting_work(37, 0)));
}

TEST_CASE("a work that was prepared but not taken is dropped without waiting for a taker") {
  BatchesAhead ahead(4, 10, 8);
  for (int i = 0; i < 20; ++i) ahead.start(works(5));
}

}  // namespace
}  // namespace agpt::test
