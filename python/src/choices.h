// Names of enumerators as Python spells them, and the sentence for a name that is none of them.
#pragma once

#include <array>
#include <string>
#include <string_view>
#include <utility>

#include "cpp/base/error.h"

namespace agpt {

/// The names of one enumeration, in the order that error messages list them.
template <class Enum, size_t n>
struct Choices {
  const char* what;
  std::array<std::pair<std::string_view, Enum>, n> names;

  Enum parse(std::string_view name) const {
    std::string list;
    for (const auto& [known, value] : names) {
      if (known == name) return value;
      list += (list.empty() ? "" : ", ") + std::string(known);
    }
    throw ArgumentError(std::string(what) + " '" + std::string(name) + "' is unknown: choose from " + list);
  }

  std::string name(Enum wanted) const {
    for (const auto& [known, value] : names)
      if (value == wanted) return std::string(known);
    return {};
  }
};

}  // namespace agpt
