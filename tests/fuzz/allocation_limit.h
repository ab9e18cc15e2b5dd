// Ends the program when reading an input takes much more memory than the input: a count was believed.
#pragma once

#include <cstddef>

namespace agpt {

/// While it lives, operator new and the engine's memory cap allow `bytes` more than is in use; operator new beyond that
/// says so and aborts, and the engine throws MemoryCapError. One at a time, on one thread.
class AllocationLimit {
 public:
  explicit AllocationLimit(size_t bytes);
  ~AllocationLimit();
};

}  // namespace agpt
