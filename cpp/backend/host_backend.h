// What all backends in host memory have in common: the threads that share their work on parameters.
#pragma once

#include "cpp/backend/backend.h"
#include "cpp/base/thread_pool.h"

namespace agpt {

template <class Real>
class HostBackend : public Backend<Real> {
 public:
  void use_threads(ThreadPool* threads) final { threads_ = threads; }

  /// Calls body(part) once for every part in [0, n_parts), which together work on `n_numbers` numbers. Parts run at a
  /// time where threads were given and the work is worth waking them: what they compute must not depend on each other.
  template <class Body>
  void share(Index n_parts, Index n_numbers, const Body& body) const {
    constexpr Index kWorthWaking = 65536;  // some 80 microseconds of an update
    if (threads_ != nullptr && threads_->size() > 1 && n_numbers >= kWorthWaking)
      return threads_->run(n_parts, [&body](Index part, int) { body(part); });
    for (Index part = 0; part < n_parts; ++part) body(part);
  }

 private:
  ThreadPool* threads_ = nullptr;
};

}  // namespace agpt
