// Treats denormal numbers as zero while a scope lasts: arithmetic on them takes a microcode assist of a hundred cycles
// or more, and probabilities near 2^-126 made whole batches run at half speed.
#pragma once

#if defined(__SSE2__)
#include <immintrin.h>
#endif

namespace agpt {

class FlushDenormals {
 public:
  FlushDenormals(const FlushDenormals&) = delete;
  FlushDenormals& operator=(const FlushDenormals&) = delete;
#if defined(__SSE2__)
  FlushDenormals() : before_(_mm_getcsr()) { _mm_setcsr(before_ | 0x8040); }  // flush to zero, denormals are zero
  ~FlushDenormals() { _mm_setcsr(before_); }

 private:
  unsigned before_;
#else
  FlushDenormals() {}  // other processors handle denormals at full speed
  ~FlushDenormals() {}
#endif
};

}  // namespace agpt
