// Attention and rotation of every backend in host memory against the reference in double, on every kind of forest.
#include <doctest/doctest.h>

#include <cmath>
#include <limits>

#include "cpp/backend/cpu/kernel_table.h"
#include "tests/cpp/train/model_cases.h"

namespace agpt::test {
namespace {

// Around the widths of chunks and vectors.
const std::vector<std::vector<int>> kHeads = {{16, 16, 16, 16}, {32},    {64, 64}, {1, 2, 3, 5},
                                              {4, 4, 4, 4},     {24, 8}, {31, 17}};

struct Result {
  std::vector<double> rotated, out, dqkv;
};

constexpr Index kRows = 61;

template <class Real>
std::vector<double> copy_of(Stream<Real>& stream, Rows<Real> m, Index columns) {
  std::vector<Real> values(static_cast<size_t>(kRows * columns));
  stream.read_rows(columns, 0, kRows, m, values);
  return {values.begin(), values.end()};
}

// The tiles from `scored` on; what is to be written holds no numbers before.
template <class Real>
Result attend(const std::string& name, const ModelConfig& config, RowBatch batch, bool scored) {
  const auto backend = make_backend<Real>(name, model_shape(config, ParameterTable(config)));
  build_tiles(batch, backend->tile_rows());
  const auto stream = backend->make_stream();
  const auto gradient = backend->make_gradient();
  stream->begin(view_of(batch), gradient.get());
  const Index d = config.d_model, first_tile = scored ? batch.first_scored_tile : 0,
              end_tile = static_cast<Index>(batch.tiles.size()), first_row = scored ? batch.n_leading_ghosts : 0;
  const Rows<Real> qkv = stream->scratch(0, kRows, 3 * d), out = stream->scratch(1, kRows, d),
                   dout = stream->scratch(2, kRows, d), dqkv = stream->scratch(3, kRows, 3 * d);
  Random random(7);
  for (Index r = 0; r < kRows; ++r) {
    for (Index c = 0; c < 3 * d; ++c) qkv.from(r).data[c] = static_cast<Real>(random.normal());
    for (Index c = 0; c < d; ++c) {
      dout.from(r).data[c] = static_cast<Real>(random.normal());
      out.from(r).data[c] = r < first_row ? Real{0} : std::numeric_limits<Real>::quiet_NaN();
    }
    for (Index c = 0; c < 3 * d; ++c)
      dqkv.from(r).data[c] = r < first_row ? Real{1} : std::numeric_limits<Real>::quiet_NaN();
  }
  stream->rotate(0, kRows, qkv, false);
  Result result;
  result.rotated = copy_of(*stream, qkv, 3 * d);
  const Index saved = stream->saved_attention_size(first_tile, end_tile);
  Real* const kept = stream->scratch(4, (saved + kRowQuantum - 1) / kRowQuantum, kRowQuantum).data;
  stream->attend(first_tile, end_tile, qkv, out, kept);
  stream->attend_backward(first_tile, end_tile, qkv, dout, kept, dqkv);
  stream->rotate(0, kRows, dqkv, true);
  result.out = copy_of(*stream, out, d);
  result.dqkv = copy_of(*stream, dqkv, 3 * d);
  return result;
}

double worst_difference(const std::vector<double>& a, const std::vector<double>& b) {
  REQUIRE(a.size() == b.size());
  double worst = 0;
  for (size_t i = 0; i < a.size(); ++i)
    worst = std::isfinite(a[i]) ? std::max(worst, std::abs(a[i] - b[i])) : std::numeric_limits<double>::infinity();
  return worst;
}

TEST_CASE("attention, its gradient and rotation are the reference's for every head width, forest and instruction set") {
  for (const std::vector<int>& heads : kHeads) {
    ModelConfig config = small_config(heads, 1);
    config.context = static_cast<int>(kRows);
    for (const Shape shape : {Shape::random, Shape::chain, Shape::star, Shape::windows})
      for (const bool scored : {false, true}) {
        const RowBatch batch = random_forest(shape, static_cast<int>(kRows), 5, config, 3);
        const Result truth = attend<double>("reference", config, batch, scored);
        for (const std::string& kernels : available_kernels()) {
          CAPTURE(kernels);
          CAPTURE(heads.front());
          CAPTURE(scored);
          const Result precise = attend<double>("cpu:" + kernels, config, batch, scored);
          CHECK(worst_difference(precise.rotated, truth.rotated) < 1e-13);
          CHECK(worst_difference(precise.out, truth.out) < 1e-13);
          CHECK(worst_difference(precise.dqkv, truth.dqkv) < 1e-12);
          const Result fast = attend<float>("cpu:" + kernels, config, batch, scored);
          CHECK(worst_difference(fast.out, truth.out) < 1e-5);
          CHECK(worst_difference(fast.dqkv, truth.dqkv) < 1e-4);
        }
      }
  }
}

}  // namespace
}  // namespace agpt::test
