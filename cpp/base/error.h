// The errors of the engine. The type is the contract, the text is for people: it names the thing, the value and the
// remedy.
#pragma once

#include <stdexcept>
#include <string>

namespace agpt {

/// Base of every error that the engine throws.
struct Error : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// The caller gave an argument that the function cannot accept.
struct ArgumentError : Error {
  using Error::Error;
};

/// A file cannot be read or written, or is not what it should be.
struct FormatError : Error {
  using Error::Error;
};

/// The chosen device or backend is missing, full or failed.
struct DeviceError : Error {
  using Error::Error;
};

/// A memory cap would be exceeded.
struct MemoryCapError : Error {
  using Error::Error;
};

/// A loss or a gradient stopped being a finite number.
struct NonFiniteError : Error {
  using Error::Error;
};

}  // namespace agpt

/// Refuses what a caller got wrong; always on. `message` is one sentence, and `condition` has no side effect.
#define AGPT_REQUIRE(condition, message)                    \
  do {                                                      \
    if (!(condition)) throw ::agpt::ArgumentError(message); \
  } while (0)
