#include "python/src/path_batch.h"

#include <nanobind/stl/string.h>

#include "cpp/base/error.h"
#include "python/src/arrays.h"

namespace {

using agpt::PathBatch;

std::vector<int64_t> lengths_of(nb::handle lengths, size_t n, size_t longest) {
  if (lengths.is_none()) return std::vector<int64_t>(n, static_cast<int64_t>(longest));
  std::vector<int64_t> values;
  visit_integers(integer_array(lengths), [&](auto ids) {
    for (const auto id : ids) {
      AGPT_REQUIRE(std::cmp_greater_equal(id, 0) && std::cmp_less_equal(id, longest),
                   "the length " + std::to_string(id) + " of a path is out of range: the array has " +
                       std::to_string(longest) + " columns");
      values.push_back(static_cast<int64_t>(id));
    }
  });
  AGPT_REQUIRE(values.size() == n, "there are " + std::to_string(values.size()) + " lengths for " + std::to_string(n) +
                                       " paths: give one for each");
  return values;
}

PathBatch paths_of_matrix(nb::handle matrix, nb::handle lengths) {
  const size_t n = nb::cast<size_t>(matrix.attr("shape")[0]), longest = nb::cast<size_t>(matrix.attr("shape")[1]);
  const std::vector<agpt::Token> tokens = tokens_of(matrix.attr("reshape")(-1));
  PathBatch batch;
  batch.tokens.reserve(tokens.size());
  batch.begin.reserve(n + 1);
  const std::vector<int64_t> row_lengths = lengths_of(lengths, n, longest);
  for (size_t i = 0; i < n; ++i) {
    const auto row = tokens.begin() + static_cast<std::ptrdiff_t>(i * longest);
    batch.tokens.insert(batch.tokens.end(), row, row + row_lengths[i]);
    batch.begin.push_back(batch.tokens.size());
  }
  return batch;
}

PathBatch paths_of_sequence(nb::handle sequence) {
  PathBatch batch;
  for (const nb::handle path : sequence) {
    const std::vector<agpt::Token> tokens = tokens_of(path);
    batch.tokens.insert(batch.tokens.end(), tokens.begin(), tokens.end());
    batch.begin.push_back(batch.tokens.size());
  }
  return batch;
}

}  // namespace

PathBatch paths_of(nb::handle paths, nb::handle lengths) {
  if (nb::hasattr(paths, "ndim")) {
    const int n_dimensions = nb::cast<int>(paths.attr("ndim"));
    AGPT_REQUIRE(n_dimensions == 2, "paths must be an array of two dimensions, or a list of paths, not an array of " +
                                        std::to_string(n_dimensions));
    return paths_of_matrix(paths, lengths);
  }
  AGPT_REQUIRE(lengths.is_none(), "lengths are for paths in one array; paths in a list have their own");
  return paths_of_sequence(paths);
}
