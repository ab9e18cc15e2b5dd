// How fast the engine's matrix products are at given shapes, one thread, operands in cache if they fit.
//
//     products ROWSxINPUTSxOUTPUTS...
//
// One line a shape: GFLOP per CPU-second of y = x W, dx = dy W' and dW = x' dy, weights packed beforehand.
#include <cstdio>
#include <cstdlib>

#include "benchmarks/roofline/calibration.h"
#include "cpp/backend/cpu/kernel_table.h"
#include "cpp/base/memory.h"

namespace agpt::roofline {
namespace {

using Buffer = AlignedBuffer<float>;

Buffer ones(Index rows, Index columns) {
  Buffer matrix(static_cast<size_t>(rows * padded_width(columns)), "calibration");
  for (Index r = 0; r < rows; ++r)
    for (Index c = 0; c < columns; ++c) matrix[static_cast<size_t>(r * padded_width(columns) + c)] = 1;
  return matrix;
}

/// c (m, n) = a (m, k) B, where B(i, j) = b[i * row_step + j * column_step].
double product_rate(const KernelTable<float>& kernels, const Buffer& a, Index m, Index k, Index n, const Buffer& b,
                    Index row_step, Index column_step) {
  Buffer packed(static_cast<size_t>(kernels.packed_size(k, n)), "calibration"), c = ones(m, n);
  kernels.pack_panels(b.data(), row_step, column_step, k, n, packed.data());
  MatmulArgs<float> args{};
  args.a = a.data(), args.a_stride = padded_width(k), args.m = m;
  args.k = static_cast<int>(k), args.n = static_cast<int>(n), args.packed = packed.data();
  args.c = c.data(), args.c_stride = padded_width(n);
  return gflops(2.0 * static_cast<double>(m * k * n), [&] { kernels.matmul(args); });
}

void print_rates(const KernelTable<float>& kernels, Index m, Index k, Index n) {
  const Buffer x = ones(m, k), dy = ones(m, n), w = ones(k, n);
  Buffer dw = ones(k, n);
  const double forward = product_rate(kernels, x, m, k, n, w, padded_width(n), 1),
               input_gradient = product_rate(kernels, dy, m, n, k, w, 1, padded_width(n)),
               weight_gradient = gflops(2.0 * static_cast<double>(m * k * n), [&] {
                 kernels.matmul_transposed(x.data(), padded_width(k), dy.data(), padded_width(n), m, k, n, dw.data(),
                                           padded_width(n), false);
               });
  std::printf("%lldx%lldx%lld %s %.1f %.1f %.1f\n", static_cast<long long>(m), static_cast<long long>(k),
              static_cast<long long>(n), kernels.name, forward, input_gradient, weight_gradient);
}

}  // namespace
}  // namespace agpt::roofline

int main(int argc, char** argv) {
  for (int i = 1; i < argc; ++i) {
    long long m = 0, k = 0, n = 0;
    if (std::sscanf(argv[i], "%lldx%lldx%lld", &m, &k, &n) != 3 || m < 1 || k < 1 || n < 1) {
      std::fprintf(stderr, "products: %s is no shape such as 256x64x192\n", argv[i]);
      return 2;
    }
    for (const std::string& name : agpt::available_kernels())
      agpt::roofline::print_rates(agpt::select_kernels<float>(name), m, k, n);
  }
}
