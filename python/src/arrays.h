// Token arrays between Python and the engine.
#pragma once

#include <nanobind/ndarray.h>

#include <string_view>
#include <vector>

#include "cpp/corpus/token_view.h"
#include "python/src/bindings.h"

/// A NumPy array of the tokens in place, read-only; `owner` is the object whose memory they are.
nb::object array_of(agpt::TokenView tokens, nb::handle owner);

template <class Value>
using OwnedArray = nb::ndarray<nb::numpy, Value, nb::ndim<1>>;

/// A NumPy array that owns `values`.
template <class Value>
OwnedArray<Value> array_of(std::vector<Value> values) {
  auto* const kept = new std::vector<Value>(std::move(values));
  const nb::capsule owner(kept, [](void* p) noexcept { delete static_cast<std::vector<Value>*>(p); });
  return OwnedArray<Value>(kept->data(), {kept->size()}, owner);
}

/// A contiguous array of integers (or of nothing) made of any one-dimensional sequence; ArgumentError for anything
/// else.
nb::ndarray<nb::ro, nb::ndim<1>, nb::c_contig> integer_array(nb::handle sequence);

/// Calls visitor with a std::span of the array's own integer type.
template <class Visitor>
decltype(auto) visit_integers(const nb::ndarray<nb::ro, nb::ndim<1>, nb::c_contig>& array, Visitor&& visitor) {
  const auto of = [&]<class Id>(Id) { return visitor(std::span(static_cast<const Id*>(array.data()), array.size())); };
  const bool is_signed = array.dtype().code == static_cast<uint8_t>(nb::dlpack::dtype_code::Int);
  switch (array.itemsize()) {
    case 1:
      return is_signed ? of(int8_t{}) : of(uint8_t{});
    case 2:
      return is_signed ? of(int16_t{}) : of(uint16_t{});
    case 4:
      return is_signed ? of(int32_t{}) : of(uint32_t{});
    default:
      return is_signed ? of(int64_t{}) : of(uint64_t{});
  }
}

/// The ids of any sequence of integers; ArgumentError if one is negative or 2^31 or more.
std::vector<agpt::Token> tokens_of(nb::handle sequence);

/// The UTF-8 of a str, valid as long as it lives; FormatError for a lone surrogate.
std::string_view utf8_of(nb::handle text);
