// What a softmax over doubles takes: the largest number, e^x of all, their sum. The same bits on every machine, whatever
// its C library and the width of its vectors.
#pragma once

#include <cstring>
#include <span>

namespace agpt {

using TwoDoubles = double __attribute__((vector_size(16)));

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

/// x = e^x for every number up to 700, with a relative error of at most 4e-16; 0 below -700, where it is less than
/// 1e-304. NaN gives anything.
void exponentials(std::span<double> values);

/// The same two numbers at a time, as every processor has them: what exponentials() is held to.
void exponentials_by_two(std::span<double> values);

}  // namespace agpt
