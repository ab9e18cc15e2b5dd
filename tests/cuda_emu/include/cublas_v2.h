// Stands in for NVIDIA's header of the same name in the emulated build of the CUDA backend.
#pragma once

#include "tests/cuda_emu/emulator/cublas_api.h"
