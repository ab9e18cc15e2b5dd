// e^x of many numbers at a time, written so that compilers turn the loop into vectors, and the same on every machine
// whatever its C library.
#pragma once

#include <bit>
#include <cstdint>
#include <span>

namespace agpt {

/// x = e^x for numbers up to 700, with a relative error of at most 4e-16; 0 below -700, where it is less than 1e-304.
/// x = n ln 2 + r with |r| <= ln 2 / 2, e^r by its series to degree 13, n added to the exponent.
inline void exponentials(std::span<double> values) {
  constexpr double kLowest = -700, kLog2E = 1.4426950408889634, kLn2High = 0x1.62e42fee00000p-1,
                   kLn2Low = 0x1.a39ef35793c76p-33, kMagic = 0x1.8p52;  // adding the last rounds to an integer
  constexpr double kInverseFactorials[] = {1.0 / 6227020800, 1.0 / 479001600, 1.0 / 39916800, 1.0 / 3628800,
                                           1.0 / 362880,     1.0 / 40320,     1.0 / 5040,     1.0 / 720,
                                           1.0 / 120,        1.0 / 24,        1.0 / 6,        1.0 / 2};
  for (double& value : values) {
    const double x = value < kLowest ? kLowest : value, shifted = x * kLog2E + kMagic, n = shifted - kMagic;
    const double r = (x - n * kLn2High) - n * kLn2Low;
    double series = kInverseFactorials[0];
    for (int i = 1; i < 12; ++i) series = series * r + kInverseFactorials[i];
    series = series * r * r + r + 1;
    const double power =
        std::bit_cast<double>(std::bit_cast<uint64_t>(series) + (std::bit_cast<uint64_t>(shifted) << 52));
    value = value < kLowest ? 0 : power;
  }
}

}  // namespace agpt
