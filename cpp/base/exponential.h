// e^x of many numbers, four at a time, and the same on every machine whatever its C library.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <span>

namespace agpt {

/// x = e^x for numbers up to 700, with a relative error of at most 4e-16; 0 below -700, where it is less than 1e-304.
/// x = n ln 2 + r with |r| <= ln 2 / 2, e^r by its series to degree 13, n added to the exponent.
inline void exponentials(std::span<double> values) {
  using Four = double __attribute__((vector_size(32)));
  using FourWords = uint64_t __attribute__((vector_size(32)));
  constexpr double kLowest = -700, kLog2E = 1.4426950408889634, kLn2High = 0x1.62e42fee00000p-1,
                   kLn2Low = 0x1.a39ef35793c76p-33, kMagic = 0x1.8p52;  // adding the last rounds to an integer
  constexpr double kInverseFactorials[] = {1.0 / 2,       1.0 / 6,        1.0 / 24,        1.0 / 120,
                                           1.0 / 720,     1.0 / 5040,     1.0 / 40320,     1.0 / 362880,
                                           1.0 / 3628800, 1.0 / 39916800, 1.0 / 479001600, 1.0 / 6227020800};
  for (size_t i = 0; i < values.size(); i += 4) {
    const size_t bytes = std::min<size_t>(4, values.size() - i) * sizeof(double);
    Four x{};
    std::memcpy(&x, values.data() + i, bytes);
    const Four lowest = {kLowest, kLowest, kLowest, kLowest}, kept = x < kLowest ? lowest : x;
    const Four shifted = kept * kLog2E + kMagic, n = shifted - kMagic;
    const Four r = (kept - n * kLn2High) - n * kLn2Low, square = r * r;
    Four even = square * kInverseFactorials[10] + kInverseFactorials[8],
         odd = square * kInverseFactorials[11] + kInverseFactorials[9];
    for (int term = 6; term >= 0; term -= 2) {  // of the series from r^2 / 2 on, over r^2
      even = even * square + kInverseFactorials[term];
      odd = odd * square + kInverseFactorials[term + 1];
    }
    const Four series = (even + odd * r) * square + r + 1;
    const FourWords bits = reinterpret_cast<FourWords>(series) + (reinterpret_cast<FourWords>(shifted) << 52);
    x = x < kLowest ? Four{} : reinterpret_cast<Four>(bits);
    std::memcpy(values.data() + i, &x, bytes);
  }
}

}  // namespace agpt
