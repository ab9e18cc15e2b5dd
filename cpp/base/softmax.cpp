#include "cpp/base/softmax.h"

#include <cstdint>

namespace agpt {
namespace {

struct Two {
  typedef double Vector __attribute__((vector_size(16)));
  typedef uint64_t Bits __attribute__((vector_size(16)));
};
struct Four {
  typedef double Vector __attribute__((vector_size(32)));
  typedef uint64_t Bits __attribute__((vector_size(32)));
};
struct Eight {
  typedef double Vector __attribute__((vector_size(64)));
  typedef uint64_t Bits __attribute__((vector_size(64)));
};

// x = n ln 2 + r with |r| <= ln 2 / 2, e^r by its series to degree 13, n added to the exponent. Always inlined, so that
// it is compiled for the instruction set of its caller.
template <class Simd>
[[gnu::always_inline]] inline void take_exponential(typename Simd::Vector& x) {
  using Vector = typename Simd::Vector;
  using Bits = typename Simd::Bits;
  constexpr double kLowest = -700, kLog2E = 1.4426950408889634, kLn2High = 0x1.62e42fee00000p-1,
                   kLn2Low = 0x1.a39ef35793c76p-33, kMagic = 0x1.8p52;  // adding the last rounds to an integer
  constexpr double kInverseFactorials[] = {1.0 / 2,       1.0 / 6,        1.0 / 24,        1.0 / 120,
                                           1.0 / 720,     1.0 / 5040,     1.0 / 40320,     1.0 / 362880,
                                           1.0 / 3628800, 1.0 / 39916800, 1.0 / 479001600, 1.0 / 6227020800};
  const Vector lowest = kLowest - Vector{}, kept = x < lowest ? lowest : x;
  const Vector shifted = kept * kLog2E + kMagic, n = shifted - kMagic;
  const Vector r = (kept - n * kLn2High) - n * kLn2Low, square = r * r;
  Vector even = square * kInverseFactorials[10] + kInverseFactorials[8],
         odd = square * kInverseFactorials[11] + kInverseFactorials[9];
  for (int term = 6; term >= 0; term -= 2) {  // of the series from r^2 / 2 on, over r^2
    even = even * square + kInverseFactorials[term];
    odd = odd * square + kInverseFactorials[term + 1];
  }
  const Vector series = (even + odd * r) * square + r + 1;
  const Bits bits = reinterpret_cast<Bits>(series) + (reinterpret_cast<Bits>(shifted) << 52);
  x = x < lowest ? Vector{} : reinterpret_cast<Vector>(bits);
}

// The last vector, of which the one before it may have a part, is read before that is written. False where the numbers do
// not fill a vector.
template <class Simd>
[[gnu::always_inline]] inline bool take_exponentials(std::span<double> values) {
  using Vector = typename Simd::Vector;
  constexpr size_t kLanes = sizeof(Vector) / sizeof(double);
  if (values.size() < kLanes) return false;
  double* const end = values.data() + values.size() - kLanes;
  Vector last, x;
  std::memcpy(&last, end, sizeof last);
  take_exponential<Simd>(last);
  for (double* at = values.data(); at < end; at += kLanes) {
    std::memcpy(&x, at, sizeof x);
    take_exponential<Simd>(x);
    std::memcpy(at, &x, sizeof x);
  }
  std::memcpy(end, &last, sizeof last);
  return true;
}

#if defined(__x86_64__)
[[gnu::target("avx512f")]] bool exponentials_by_eight(std::span<double> values) {
  return take_exponentials<Eight>(values);
}
[[gnu::target("avx2")]] bool exponentials_by_four(std::span<double> values) { return take_exponentials<Four>(values); }
#endif

}  // namespace

void exponentials_by_two(std::span<double> values) {
  if (values.empty() || take_exponentials<Two>(values)) return;
  Two::Vector alone = {values.front()};
  take_exponential<Two>(alone);
  values.front() = alone[0];
}

void exponentials(std::span<double> values) {
#if defined(__x86_64__)
  static const bool has_eight = __builtin_cpu_supports("avx512f"), has_four = __builtin_cpu_supports("avx2");
  if (has_eight && exponentials_by_eight(values)) return;
  if (has_four && exponentials_by_four(values)) return;
#endif
  exponentials_by_two(values);
}

}  // namespace agpt
