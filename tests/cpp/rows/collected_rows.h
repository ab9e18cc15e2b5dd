// The rows of batches by their paths, so that a test can compare them with dictionaries of counts.
#pragma once

#include <doctest/doctest.h>

#include <map>
#include <vector>

#include "cpp/rows/row_batch.h"
#include "cpp/train/step_source.h"

namespace agpt {

using Path = std::vector<int32_t>;
using Targets = std::map<int32_t, double>;

/// The batch's rows by path, found through the parents; checks that parents are sound and that ghosts have no targets.
inline void collect(const RowBatch& batch, std::map<Path, Targets>& rows) {
  std::vector<Path> path_of;
  for (Index r = 0; r < batch.n_rows(); ++r) {
    const auto row = static_cast<size_t>(r);
    const int32_t parent = batch.parent[row];
    CHECK(parent < r);
    Path path = parent < 0 ? Path() : path_of[static_cast<size_t>(parent)];
    path.push_back(batch.token[row]);
    CHECK(static_cast<size_t>(batch.position[row]) + 1 == path.size());
    Targets targets;
    for (int32_t e = batch.target_begin[row]; e < batch.target_begin[row + 1]; ++e)
      targets[batch.target_token[static_cast<size_t>(e)]] += batch.target_weight[static_cast<size_t>(e)];
    if (!targets.empty()) CHECK(rows.emplace(path, targets).second);  // each row is somebody's exactly once
    path_of.push_back(path);
  }
}

/// The targets of all rows of a work by path, summed over the batches.
inline std::map<Path, Targets> collect_sum(const StepWork& work) {
  std::map<Path, Targets> sum;
  for (Index b = 0; b < work.n_batches; ++b) {
    RowBatch batch;
    work.build(b, batch);
    std::map<Path, Targets> rows;
    collect(batch, rows);
    for (const auto& [path, targets] : rows)
      for (const auto& [token, weight] : targets) sum[path][token] += weight;
  }
  return sum;
}

}  // namespace agpt
