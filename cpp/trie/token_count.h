// A token with a count: what follows a path.
#pragma once

#include "cpp/base/types.h"

namespace agpt {

/// A token that follows a path, and how often.
struct TokenCount {
  Token token;
  uint32_t count;
  bool operator==(const TokenCount&) const = default;
};

}  // namespace agpt
