#include "python/src/arrays.h"

#include <nanobind/stl/string.h>
#include <nanobind/stl/string_view.h>

#include "cpp/base/error.h"

nb::object array_of(agpt::TokenView tokens, nb::handle owner) {
  return tokens.visit([&]<class Id>(std::span<const Id> ids) {
    return nb::cast(nb::ndarray<nb::numpy, const Id, nb::ndim<1>>(ids.data(), {ids.size()}, owner));
  });
}

namespace {

bool is_integer(const nb::ndarray<nb::ro, nb::ndim<1>, nb::c_contig>& array) {
  using nb::dlpack::dtype_code;
  const auto code = static_cast<dtype_code>(array.dtype().code);
  return (code == dtype_code::Int || code == dtype_code::UInt) && array.device_type() == nb::device::cpu::value;
}

}  // namespace

nb::ndarray<nb::ro, nb::ndim<1>, nb::c_contig> integer_array(nb::handle sequence) {
  // An array that fits needs nothing of NumPy.
  nb::ndarray<nb::ro, nb::ndim<1>, nb::c_contig> view;
  if (nb::ndarray_check(sequence) && nb::try_cast(sequence, view, false) && is_integer(view)) return view;
  const nb::object numpy = nb::module_::import_("numpy");
  nb::object array = numpy.attr("ascontiguousarray")(sequence);
  if (nb::cast<size_t>(array.attr("size")) == 0) array = numpy.attr("zeros")(0, "uint32");
  const auto kind = nb::cast<std::string_view>(array.attr("dtype").attr("kind"));
  const int n_dimensions = nb::cast<int>(array.attr("ndim"));
  AGPT_REQUIRE(n_dimensions == 1 && (kind == "i" || kind == "u"),
               "tokens must be a one-dimensional array of integers, not of " +
                   nb::cast<std::string>(array.attr("dtype").attr("name")) + " with " + std::to_string(n_dimensions) +
                   " dimensions");
  return nb::cast<nb::ndarray<nb::ro, nb::ndim<1>, nb::c_contig>>(array);
}

std::vector<agpt::Token> tokens_of(nb::handle sequence) {
  return visit_integers(integer_array(sequence), [](auto ids) {
    std::vector<agpt::Token> tokens;
    tokens.reserve(ids.size());
    for (const auto id : ids) {
      AGPT_REQUIRE(std::cmp_greater_equal(id, 0) && std::cmp_less(id, int64_t{1} << 31),
                   "the token id " + std::to_string(id) + " is out of range: ids are from 0 to 2^31 - 1");
      tokens.push_back(static_cast<agpt::Token>(id));
    }
    return tokens;
  });
}

std::string_view utf8_of(nb::handle text) {
  Py_ssize_t size = 0;
  const char* const data = PyUnicode_AsUTF8AndSize(text.ptr(), &size);
  if (data != nullptr) return {data, static_cast<size_t>(size)};
  PyErr_Clear();
  throw agpt::FormatError(
      "the text has a lone surrogate, which is no character: decode its bytes with the right encoding");
}
