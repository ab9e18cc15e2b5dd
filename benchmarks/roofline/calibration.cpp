#include "benchmarks/roofline/calibration.h"

#include <algorithm>

#include "cpp/backend/cpu/kernel_table.h"
#include "cpp/base/memory.h"

namespace agpt::roofline {
namespace {

constexpr int kSteps = 10000, kChains = 12;

// kChains independent sums, enough to hide the latency of the multiply-adds.
template <class Vector>
[[gnu::always_inline]] inline void multiply_add(float* out) {
  Vector sum[kChains] = {}, factor = {}, term = {};
  for (unsigned i = 0; i < sizeof(Vector) / sizeof(float); ++i) factor[i] = 0.999f, term[i] = out[i];
  for (int chain = 0; chain < kChains; ++chain) sum[chain] += out[chain];  // or the compiler would see one chain
  for (int step = 0; step < kSteps; ++step)
    for (int chain = 0; chain < kChains; ++chain) sum[chain] = sum[chain] * factor + term;
  for (int chain = 0; chain < kChains; ++chain)
    for (unsigned i = 0; i < sizeof(Vector) / sizeof(float); ++i) out[i] += sum[chain][i];
}

typedef float Vector128 __attribute__((vector_size(16)));
#if defined(__x86_64__)
typedef float Vector256 __attribute__((vector_size(32)));
typedef float Vector512 __attribute__((vector_size(64)));
[[gnu::target("avx512f,fma")]] void multiply_add_512(float* out) { multiply_add<Vector512>(out); }
[[gnu::target("avx2,fma")]] void multiply_add_256(float* out) { multiply_add<Vector256>(out); }
#endif
void multiply_add_128(float* out) { multiply_add<Vector128>(out); }

}  // namespace

double multiply_add_peak() {
  float out[16] = {};
  const double flops_a_lane = 2.0 * kSteps * kChains;
#if defined(__x86_64__)
  __builtin_cpu_init();
  if (__builtin_cpu_supports("avx512f")) return gflops(16 * flops_a_lane, [&] { multiply_add_512(out); });
  if (__builtin_cpu_supports("fma")) return gflops(8 * flops_a_lane, [&] { multiply_add_256(out); });
#endif
  return gflops(4 * flops_a_lane, [&] { multiply_add_128(out); });
}

double matrix_rate() {
  constexpr Index kRows = 96, kDepth = 64, kColumns = 256;
  const KernelTable<float>& kernels = select_kernels<float>("");
  AlignedBuffer<float> a(kRows * kDepth, "calibration"), b(kDepth * kColumns, "calibration"),
      c(kRows * kColumns, "calibration"),
      packed(static_cast<size_t>(kernels.packed_size(kDepth, kColumns)), "calibration");
  std::fill_n(a.data(), a.size(), 1.0F);  // zeros would be left out
  kernels.pack_panels(b.data(), kColumns, 1, kDepth, kColumns, packed.data());
  MatmulArgs<float> args{};
  args.a = a.data(), args.a_stride = kDepth, args.m = kRows, args.k = kDepth, args.n = kColumns;
  args.packed = packed.data(), args.c = c.data(), args.c_stride = kColumns;
  return gflops(2.0 * kRows * kDepth * kColumns, [&] { kernels.matmul(args); });
}

}  // namespace agpt::roofline
