// Bindings of what the build and the machine offer: version, backends, kernels, the memory cap.
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include "cpp/backend/backend.h"
#include "cpp/backend/cpu/kernel_table.h"
#include "cpp/base/memory.h"
#include "python/src/bindings.h"

using namespace nb::literals;

void bind_system(nb::module_& m) {
  m.attr("version") = AGPT_VERSION;
  m.def("backend_names", &agpt::backend_names,
        "The backends that `backend=` knows, whether or not this build and machine have them.");
  m.def(
      "describe_backend", [](const std::string& name) { return agpt::make_backend<float>(name, {})->description(); },
      "name"_a,
      "What the backend would run with, for example 'cpu (avx512, float32)'. DeviceError where it cannot run here.");
  m.def("available_kernels", &agpt::available_kernels,
        "Instruction sets of the cpu backend that this processor runs, slowest first.");
  m.def("set_memory_cap", &agpt::set_memory_cap, "bytes"_a,
        "Caps the engine's memory; 0 removes the cap. MemoryCapError where a job would exceed it.");
  m.def("memory_cap", &agpt::memory_cap, "The cap in bytes; 0 is none.");
  m.def("memory_reserved", &agpt::memory_reserved, "Bytes that the engine holds now.");
}
