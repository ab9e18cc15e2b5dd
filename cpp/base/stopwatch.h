// Wall-clock time that passed, in seconds.
#pragma once

#include <chrono>

namespace agpt {

class Stopwatch {
 public:
  /// Seconds since the stopwatch was made.
  double seconds() const { return seconds_between(start_, Clock::now()); }
  /// Seconds since the last lap, or since the stopwatch was made; a new lap begins.
  double lap() {
    const Clock::time_point before = lap_;
    lap_ = Clock::now();
    return seconds_between(before, lap_);
  }

 private:
  using Clock = std::chrono::steady_clock;
  static double seconds_between(Clock::time_point a, Clock::time_point b) {
    return std::chrono::duration<double>(b - a).count();
  }

  Clock::time_point start_ = Clock::now(), lap_ = start_;
};

}  // namespace agpt
