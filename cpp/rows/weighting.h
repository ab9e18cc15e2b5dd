// How much a position counts, and for what. Its weight is w = f(N) * (1 + lambda * H / ln V) * m, N its mass, H the
// entropy of its target distribution, V the vocabulary; m is `intermediate` for the rows inside an edge, which have one
// target, and 1 for endpoints.
#pragma once

#include <cmath>
#include <memory>
#include <span>

#include "cpp/base/error.h"
#include "cpp/base/types.h"

namespace agpt {

class TargetBlend;

/// f(N) = N, sqrt(N), ln(1 + N), 1. With linear and lambda = 0 the loss is exactly that of all corpus windows.
enum class MassWeight { linear, sqrt, log, off };

struct Weighting {
  MassWeight mass = MassWeight::linear;
  double entropy_lambda = 0;
  double intermediate = 1;
  std::shared_ptr<const TargetBlend> blend = nullptr;  ///< of the same index; changes the targets of endpoints, not w

  /// f(mass).
  double of_mass(double n) const {
    switch (mass) {
      case MassWeight::linear:
        return n;
      case MassWeight::sqrt:
        return std::sqrt(n);
      case MassWeight::log:
        return std::log1p(n);
      case MassWeight::off:
        break;
    }
    return 1;
  }

  /// Throws ArgumentError for a value out of range.
  void validate() const {
    AGPT_REQUIRE(entropy_lambda >= 0 && std::isfinite(entropy_lambda), "entropy_lambda must be a number of at least 0");
    AGPT_REQUIRE(intermediate >= 0 && std::isfinite(intermediate),
                 "intermediate_weight must be a number of at least 0");
  }

  /// Whether w = N: the weights of all corpus windows.
  bool is_plain() const { return mass == MassWeight::linear && entropy_lambda == 0 && intermediate == 1; }
};

}  // namespace agpt
