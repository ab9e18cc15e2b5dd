// Lets Ctrl-C stop long work: a check that the engine calls now and then on the thread that Python called it from.
#pragma once

#include <chrono>
#include <functional>

#include "python/src/bindings.h"

/// Asks Python for pending signals, at most ten times a second; throws what the signal handler raised
/// (KeyboardInterrupt). To be called without the GIL.
inline std::function<void()> interrupt_check() {
  return [last = std::chrono::steady_clock::now()]() mutable {
    const auto now = std::chrono::steady_clock::now();
    if (now - last < std::chrono::milliseconds(100)) return;
    last = now;
    nb::gil_scoped_acquire gil;
    if (PyErr_CheckSignals() != 0) throw nb::python_error();
  };
}
