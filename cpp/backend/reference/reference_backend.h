// The reference backend: every operation as the obvious loop, sums in double. The truth that tests compare with.
#pragma once

#include <memory>

#include "cpp/backend/backend.h"

namespace agpt {

template <class Real>
std::unique_ptr<Backend<Real>> make_reference_backend(const ModelShape& shape);

}  // namespace agpt
