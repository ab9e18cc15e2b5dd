// What a softmax over doubles takes: the largest number, e^x of all, their sum. Two at a time, as every 64-bit processor
// has them, and the same on every machine whatever its C library.
#pragma once

#include <cstdint>
#include <cstring>
#include <span>

namespace agpt {

using TwoDoubles = double __attribute__((vector_size(16)));

/// e^x for numbers up to 700, with a relative error of at most 4e-16; 0 below -700, where it is less than 1e-304.
/// x = n ln 2 + r with |r| <= ln 2 / 2, e^r by its series to degree 13, n added to the exponent.
inline void take_exponential(TwoDoubles& x) {
  using TwoWords = uint64_t __attribute__((vector_size(16)));
  constexpr double kLowest = -700, kLog2E = 1.4426950408889634, kLn2High = 0x1.62e42fee00000p-1,
                   kLn2Low = 0x1.a39ef35793c76p-33, kMagic = 0x1.8p52;  // adding the last rounds to an integer
  constexpr double kInverseFactorials[] = {1.0 / 2,       1.0 / 6,        1.0 / 24,        1.0 / 120,
                                           1.0 / 720,     1.0 / 5040,     1.0 / 40320,     1.0 / 362880,
                                           1.0 / 3628800, 1.0 / 39916800, 1.0 / 479001600, 1.0 / 6227020800};
  const TwoDoubles lowest = {kLowest, kLowest}, kept = x < kLowest ? lowest : x;
  const TwoDoubles shifted = kept * kLog2E + kMagic, n = shifted - kMagic;
  const TwoDoubles r = (kept - n * kLn2High) - n * kLn2Low, square = r * r;
  TwoDoubles even = square * kInverseFactorials[10] + kInverseFactorials[8],
             odd = square * kInverseFactorials[11] + kInverseFactorials[9];
  for (int term = 6; term >= 0; term -= 2) {  // of the series from r^2 / 2 on, over r^2
    even = even * square + kInverseFactorials[term];
    odd = odd * square + kInverseFactorials[term + 1];
  }
  const TwoDoubles series = (even + odd * r) * square + r + 1;
  const TwoWords bits = reinterpret_cast<TwoWords>(series) + (reinterpret_cast<TwoWords>(shifted) << 52);
  x = x < kLowest ? TwoDoubles{} : reinterpret_cast<TwoDoubles>(bits);
}

/// Joins the numbers, of which there is at least one, by a join(pair, pair) of pairs or of numbers whose order is free.
template <class Join>
double joined(std::span<const double> values, Join join) {
  constexpr size_t kChains = 4;  // independent ones, for an operation takes several cycles
  double result = values.front();
  size_t i = 1;
  if (values.size() > 2 * kChains) {
    TwoDoubles chains[kChains];
    std::memcpy(chains, values.data() + i, sizeof chains);
    for (i += 2 * kChains; i + 2 * kChains <= values.size(); i += 2 * kChains)
      for (size_t c = 0; c < kChains; ++c) {
        TwoDoubles x;
        std::memcpy(&x, values.data() + i + 2 * c, sizeof x);
        chains[c] = join(chains[c], x);
      }
    const TwoDoubles both = join(join(chains[0], chains[1]), join(chains[2], chains[3]));
    result = join(result, join(double{both[0]}, double{both[1]}));
  }
  for (; i < values.size(); ++i) result = join(result, values[i]);
  return result;
}

inline double largest(std::span<const double> values) {
  return joined(values, [](auto a, auto b) { return a > b ? a : b; });
}

inline double sum(std::span<const double> values) {
  return joined(values, [](auto a, auto b) { return a + b; });
}

/// x = e^x for every number, as take_exponential() has it.
inline void exponentials(std::span<double> values) {
  size_t i = 0;
  TwoDoubles x{};
  for (; i + 2 <= values.size(); i += 2) {
    std::memcpy(&x, values.data() + i, sizeof x);
    take_exponential(x);
    std::memcpy(values.data() + i, &x, sizeof x);
  }
  if (i == values.size()) return;
  x[0] = values[i];
  take_exponential(x);
  values[i] = x[0];
}

}  // namespace agpt
