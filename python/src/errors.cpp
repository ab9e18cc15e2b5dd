// Maps the engine's error types to Python: ArgumentError is a ValueError, the others derive from agpt.Error.
#include "cpp/base/error.h"
#include "python/src/bindings.h"

void bind_errors(nb::module_& m) {
  // nanobind tries the translator registered last first, so the base comes first.
  auto error = nb::exception<agpt::Error>(m, "Error", PyExc_RuntimeError);
  nb::exception<agpt::ArgumentError>(m, "ArgumentError", PyExc_ValueError);
  nb::exception<agpt::FormatError>(m, "FormatError", error.ptr());
  nb::exception<agpt::DeviceError>(m, "DeviceError", error.ptr());
  nb::exception<agpt::MemoryCapError>(m, "MemoryCapError", error.ptr());
  nb::exception<agpt::NonFiniteError>(m, "NonFiniteError", error.ptr());
}
