// Room for a synthetic text that is filled from front to back.
#pragma once

#include <algorithm>
#include <span>

#include "cpp/synth/synthesis.h"

namespace agpt {

template <class Id>
class TextWriter {
 public:
  /// Both must outlive it.
  TextWriter(std::span<Id> room, const SynthesisProgress& progress) : room_(room), progress_(progress) {
    report_at_ = std::min(room.size(), kTokensBetweenReports);
  }

  bool is_full() const { return size_ == room_.size(); }
  std::span<const Id> written() const { return room_.first(size_); }

  /// Writes as many of `n` tokens as there is room for; false if that is not all.
  bool write(const Id* tokens, size_t n) {
    const size_t fitting = std::min(n, room_.size() - size_);
    std::copy_n(tokens, fitting, room_.data() + size_);
    size_ += fitting;
    if (size_ >= report_at_) report();
    return fitting == n;
  }
  bool write(Token token) {
    const Id id = static_cast<Id>(token);
    return write(&id, 1);
  }

 private:
  static constexpr size_t kTokensBetweenReports = size_t{1} << 18;

  void report() {
    if (progress_) progress_(static_cast<double>(size_) / static_cast<double>(room_.size()));
    report_at_ += kTokensBetweenReports;
  }

  std::span<Id> room_;
  const SynthesisProgress& progress_;
  size_t size_ = 0, report_at_;
};

}  // namespace agpt
