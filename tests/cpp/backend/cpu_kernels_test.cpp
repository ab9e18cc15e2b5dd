// The kernels of every instruction set that this processor runs, each against plain loops in double precision.
#include <doctest/doctest.h>

#include <cmath>
#include <numeric>
#include <vector>

#include "cpp/backend/cpu/absorbed_attention.h"
#include "cpp/backend/cpu/kernel_table.h"
#include "cpp/base/memory.h"
#include "cpp/base/random.h"

namespace agpt {
namespace {

AlignedBuffer<float> random_matrix(Index rows, Index columns, uint64_t seed) {
  AlignedBuffer<float> m(static_cast<size_t>(rows * padded_width(columns)), "test");
  Random random(seed);
  for (Index r = 0; r < rows; ++r)
    for (Index c = 0; c < columns; ++c)
      m[static_cast<size_t>(r * padded_width(columns) + c)] = static_cast<float>(random.normal());
  return m;
}

// The same with zeros: `share` of all numbers, and of every third column all.
AlignedBuffer<float> matrix_with_zeros(Index rows, Index columns, uint64_t seed, double share) {
  AlignedBuffer<float> m = random_matrix(rows, columns, seed);
  Random random(seed + 100);
  for (Index r = 0; r < rows; ++r)
    for (Index c = 0; c < columns; ++c)
      if (random.uniform() < share || (share > 0 && c % 3 == 1))
        m[static_cast<size_t>(r * padded_width(columns) + c)] = 0;
  return m;
}

double at(const AlignedBuffer<float>& m, Index columns, Index r, Index c) {
  return m[static_cast<size_t>(r * padded_width(columns) + c)];
}

struct Size {
  Index m, k, n;
};
// Around the widths of vectors and panels, and sums long enough to be cut.
const std::vector<Size> kSizes = {{1, 1, 1},     {7, 16, 17},     {33, 64, 65},   {97, 97, 64},  {5, 200, 48},
                                  {130, 31, 80}, {300, 130, 129}, {241, 64, 192}, {129, 192, 64}};
const double kSharesOfZeros[] = {0, 0.5, 0.97};

TEST_CASE("products with packed matrices are right in every size, packed from rows or from columns") {
  for (const std::string& name : available_kernels()) {
    const KernelTable<float>& kernels = select_kernels<float>(name);
    for (const Size& s : kSizes) {
      CAPTURE(name);
      CAPTURE(s.k);
      CAPTURE(s.n);
      const AlignedBuffer<float> b = random_matrix(s.k, s.n, 2);
      std::vector<float> transposed(static_cast<size_t>(s.k * s.n));
      for (Index k = 0; k < s.k; ++k)
        for (Index n = 0; n < s.n; ++n)
          transposed[static_cast<size_t>(n * s.k + k)] = static_cast<float>(at(b, s.n, k, n));
      const auto size = static_cast<size_t>(kernels.packed_size(s.k, s.n));
      AlignedBuffer<float> packed(size, "test"), other(size, "test");
      kernels.pack_panels(b.data(), padded_width(s.n), 1, s.k, s.n, packed.data());
      kernels.pack_panels(transposed.data(), 1, s.k, s.k, s.n, other.data());
      CHECK(std::equal(packed.data(), packed.data() + size, other.data()));

      for (const double zeros : kSharesOfZeros) {
        CAPTURE(zeros);
        const AlignedBuffer<float> a = matrix_with_zeros(s.m, s.k, 1, zeros);
        AlignedBuffer<float> c = random_matrix(s.m, s.n, 3), in_pieces = random_matrix(s.m, s.n, 3);
        MatmulArgs<float> args{};
        args.a = a.data(), args.a_stride = padded_width(s.k), args.m = s.m;
        args.k = static_cast<int>(s.k), args.n = static_cast<int>(s.n), args.packed = packed.data();
        args.c = c.data(), args.c_stride = padded_width(s.n);
        kernels.matmul(args);
        double worst = 0;
        for (Index r = 0; r < s.m; ++r)
          for (Index n = 0; n < s.n; ++n) {
            double truth = 0;
            for (Index k = 0; k < s.k; ++k) truth += at(a, s.k, r, k) * at(b, s.n, k, n);
            worst = std::max(worst, std::abs(at(c, s.n, r, n) - truth));
          }
        CHECK(worst < 1e-6 * static_cast<double>(s.k) + 1e-5);
        // Of few rows no zeros are left out: it must not matter.
        for (Index row = 0; row < s.m; row += 3) {
          args.a = a.data() + row * args.a_stride, args.m = std::min<Index>(3, s.m - row);
          args.c = in_pieces.data() + row * args.c_stride;
          kernels.matmul(args);
        }
        CHECK(std::equal(c.data(), c.data() + s.m * args.c_stride, in_pieces.data()));
      }
    }
  }
}

TEST_CASE(
    "weight gradients are summed onto what is there, or overwrite it, in every size and with zeros on either side") {
  for (const std::string& name : available_kernels()) {
    const KernelTable<float>& kernels = select_kernels<float>(name);
    for (const Size& s : kSizes)
      for (const double zeros : kSharesOfZeros)
        for (const bool accumulate : {false, true})
          for (const bool on_left : {false, true}) {
            CAPTURE(name);
            CAPTURE(s.k);
            CAPTURE(s.n);
            CAPTURE(zeros);
            CAPTURE(on_left);
            const AlignedBuffer<float> a = matrix_with_zeros(s.m, s.k, 4, on_left ? zeros : 0),
                                       y = matrix_with_zeros(s.m, s.n, 5, on_left ? 0 : zeros),
                                       before = random_matrix(s.k, s.n, 6);
            AlignedBuffer<float> w = random_matrix(s.k, s.n, 6);
            kernels.matmul_transposed(a.data(), padded_width(s.k), y.data(), padded_width(s.n), s.m, s.k, s.n, w.data(),
                                      padded_width(s.n), accumulate);
            double worst = 0;
            for (Index k = 0; k < s.k; ++k)
              for (Index n = 0; n < s.n; ++n) {
                double truth = accumulate ? at(before, s.n, k, n) : 0;
                for (Index r = 0; r < s.m; ++r) truth += at(a, s.k, r, k) * at(y, s.n, r, n);
                worst = std::max(worst, std::abs(at(w, s.n, k, n) - truth));
              }
            CHECK(worst < 1e-6 * static_cast<double>(s.m) + 1e-5);
          }
  }
}

// A query for each number of keys, alone in its tile, and two that share a tile and see keys of even or odd number.
struct Queries {
  std::vector<Tile> tiles;
  std::vector<int32_t> key_row;
  std::vector<uint64_t> key_mask;
  std::vector<std::vector<int32_t>> seen;  // by each query

  explicit Queries(Index n_rows) {
    for (const int n_keys : {1, 15, 31, 32, 33}) add_tile(1, n_keys, n_rows);
    add_tile(2, 34, n_rows);
  }

  void add_tile(int n_queries, int n_keys, Index n_rows) {
    const auto first = static_cast<int32_t>(seen.size()), begin = static_cast<int32_t>(key_row.size());
    tiles.push_back({first, n_queries, begin, begin + n_keys});
    seen.resize(seen.size() + static_cast<size_t>(n_queries));
    for (int key = 0; key < n_keys; ++key) {
      key_row.push_back(key * 7 % static_cast<int>(n_rows));
      key_mask.push_back(uint64_t{1} << key % n_queries);
      seen[static_cast<size_t>(first + key % n_queries)].push_back(key_row.back());
    }
  }
};

TEST_CASE("attention with absorbed weights is attention over the keys and values that it leaves out") {
  const std::vector<std::vector<int>> heads_of_models = {
      {16, 16, 16, 16}, {50, 31, 16, 15}, {3, 2}, {130}, {5, 5, 5, 5}, {32, 32, 32, 32, 32, 32, 32, 32}};
  for (const std::string& name : available_kernels()) {
    const KernelTable<float>& kernels = select_kernels<float>(name);
    for (const std::vector<int>& heads : heads_of_models) {
      CAPTURE(name);
      const Index d = std::accumulate(heads.begin(), heads.end(), Index{0}), n_rows = 40;
      const Queries queries(n_rows);
      BatchView batch;
      batch.tiles = queries.tiles, batch.key_row = queries.key_row, batch.key_mask = queries.key_mask;
      AlignedBuffer<float> x = random_matrix(n_rows, d, 1), qkv = random_matrix(n_rows, 3 * d, 2),
                           w = random_matrix(d, 3 * d, 3), bias = random_matrix(1, 3 * d, 4),
                           out(static_cast<size_t>(n_rows * padded_width(d)), "test"),
                           packed(static_cast<size_t>(kernels.packed_size(3 * d, d)), "test");
      kernels.pack_panels(w.data(), 1, padded_width(3 * d), 3 * d, d, packed.data());
      const ProjectionWeights<float> weights = {packed.data(), w.data(), padded_width(3 * d), bias.data()};
      const Index n_tiles = static_cast<Index>(queries.tiles.size()), stride = padded_width(3 * d);
      AbsorbedAttentionLoop<float>(kernels, heads)
          .attend(weights, false, batch, 0, n_tiles, {x.data(), padded_width(d)}, {qkv.data(), stride},
                  {out.data(), padded_width(d)});
      const auto projected = [&](Index row, Index to) {
        double sum = at(bias, 3 * d, 0, to);
        for (Index i = 0; i < d; ++i) sum += at(x, d, row, i) * at(w, 3 * d, i, to);
        return sum;
      };
      double worst = 0;
      for (size_t query = 0; query < queries.seen.size(); ++query) {
        Index column = 0;
        for (const int width : heads) {
          std::vector<double> share;
          double total = 0;
          for (const int32_t row : queries.seen[query]) {
            double score = 0;
            for (int c = 0; c < width; ++c)
              score += at(qkv, 3 * d, static_cast<Index>(query), column + c) * projected(row, d + column + c);
            total += share.emplace_back(std::exp(score / std::sqrt(width)));
          }
          for (int c = 0; c < width; ++c) {
            double truth = 0;
            for (size_t key = 0; key < share.size(); ++key)
              truth += share[key] / total * projected(queries.seen[query][key], 2 * d + column + c);
            worst = std::max(worst, std::abs(at(out, d, static_cast<Index>(query), column + c) - truth));
          }
          column += width;
        }
      }
      CHECK(worst < 1e-3);
    }
  }
}

TEST_CASE("gelu is off by at most 4e-7 times the larger of 1 and |x|, its derivative by at most 1e-6") {
  // What comes behind the product of x (n, 1) and the number 1.
  const Index n = 4096;
  AlignedBuffer<float> x(static_cast<size_t>(n * kRowQuantum), "test"), y(x.size(), "test"), slope(x.size(), "test");
  const float one = 1;
  for (const std::string& name : available_kernels()) {
    CAPTURE(name);
    const KernelTable<float>& kernels = select_kernels<float>(name);
    AlignedBuffer<float> packed(static_cast<size_t>(kernels.packed_size(1, 1)), "test");
    kernels.pack_panels(&one, 1, 1, 1, 1, packed.data());
    for (Index i = 0; i < n; ++i)
      x[static_cast<size_t>(i * kRowQuantum)] = static_cast<float>(-12 + 24 * static_cast<double>(i) / n);
    MatmulArgs<float> args{};
    args.a = x.data(), args.m = n, args.k = args.n = 1, args.packed = packed.data(), args.c = slope.data();
    args.finish = Finish::activate_and_keep_slope, args.activation = ElementwiseActivation::gelu, args.other = y.data();
    args.a_stride = args.c_stride = args.other_stride = kRowQuantum;
    kernels.matmul(args);
    double worst = 0, worst_slope = 0;
    for (size_t i = 0; i < x.size(); i += static_cast<size_t>(kRowQuantum)) {
      const double v = x[i], share = 0.5 * std::erfc(-v / std::sqrt(2.0)),
                   density = std::exp(-v * v / 2) / std::sqrt(2 * std::acos(-1.0));
      worst = std::max(worst, std::abs(y[i] - v * share) / std::max(1.0, std::abs(v)));
      worst_slope = std::max(worst_slope, std::abs(slope[i] - (share + v * density)));
    }
    CHECK(worst < 4e-7);
    CHECK(worst_slope < 1e-6);
  }
}

TEST_CASE("probabilities of the loss are right to a relative 1e-6 down to the smallest normal number") {
  const Index n = 171;
  for (const std::string& name : available_kernels()) {
    CAPTURE(name);
    AlignedBuffer<float> logits(static_cast<size_t>(padded_width(n)), "test");
    std::vector<double> truth;
    double total = 0;
    for (size_t i = 0; i < static_cast<size_t>(n); ++i) {
      logits[i] = static_cast<float>(3 - 0.5 * static_cast<double>(i));
      truth.push_back(std::exp(static_cast<double>(logits[i]) - 3));
      total += truth.back();
    }
    const double log_sum = select_kernels<float>(name).log_sum_exp(logits.data(), n, true, 1);
    CHECK(log_sum == doctest::Approx(3 + std::log(total)).epsilon(1e-6));
    for (size_t i = 0; i < truth.size(); ++i) CHECK(logits[i] == doctest::Approx(truth[i] / total).epsilon(1e-6));
  }
}

TEST_CASE("every optimizer moves parameters and moments as the plain loop does") {
  const Index n = 77;
  for (const std::string& name : available_kernels())
    for (const OptimizerKind kind : {OptimizerKind::sgd, OptimizerKind::momentum, OptimizerKind::adam,
                                     OptimizerKind::rmsprop, OptimizerKind::rmsprop_corrected}) {
      CAPTURE(name);
      std::vector<double> gradient(n);
      std::vector<float> state[2];
      for (size_t i = 0; i < gradient.size(); ++i) gradient[i] = std::sin(static_cast<double>(i));
      for (std::vector<float>& values : state) values.assign(3 * n, 0.25f);
      for (const bool plain : {true, false}) {
        float* values = state[plain ? 0 : 1].data();
        const TensorUpdate<float> update = {kind, n,     gradient.data(), values, values + n, values + 2 * n, 0.5,
                                            0.9f, 0.99f, 1e-8f,           1.5f,   2.f,        0.01f,          0.1f};
        (plain ? update_tensor<float> : select_kernels<float>(name).optimizer_loops.update)(update);
      }
      for (size_t i = 0; i < state[0].size(); ++i) CHECK(state[1][i] == doctest::Approx(state[0][i]).epsilon(1e-6));
    }
}

TEST_CASE_TEMPLATE("gradients are added in their order, and the squares of the sum with them", Real, float, double) {
  for (const std::string& name : available_kernels())
    for (const Index n : {1, 7, 16, 33, 100})
      for (const int n_addends : {0, 1, 3, 8})
        for (const bool overwrite : {true, false}) {
          CAPTURE(name);
          std::vector<std::vector<Real>> addends;
          std::vector<const Real*> pointers;
          for (int a = 0; a < n_addends; ++a) {
            std::vector<Real>& addend = addends.emplace_back(n);
            for (Index i = 0; i < n; ++i)
              addend[static_cast<size_t>(i)] = static_cast<Real>(std::sin(static_cast<double>(a * n + i)));
            pointers.push_back(addend.data());
          }
          std::vector<double> sum(static_cast<size_t>(n), 0.25), truth = sum;
          double squares = 0;
          for (size_t i = 0; i < truth.size(); ++i) {
            if (overwrite) truth[i] = 0;
            for (const std::vector<Real>& addend : addends) truth[i] += 0.5 * static_cast<double>(addend[i]);
            squares += truth[i] * truth[i];
          }
          CHECK(select_kernels<Real>(name).optimizer_loops.add_gradients(sum.data(), pointers.data(), n_addends, n, 0.5,
                                                                         overwrite) ==
                doctest::Approx(squares).epsilon(1e-13));
          CHECK(sum == truth);  // a half of a number is exact: only the order of the sum rounds
        }
}

TEST_CASE("the generic kernels need no more than vectors of 128 bits, which every 64-bit processor has") {
  CHECK(select_kernels<float>("generic").lanes == 4);
  CHECK(select_kernels<double>("generic").lanes == 2);
}

}  // namespace
}  // namespace agpt
