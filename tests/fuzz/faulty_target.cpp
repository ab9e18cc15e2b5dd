// Targets with a fault each, to see that the fuzzer finds them.
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <stdexcept>

#include "cpp/base/error.h"
#include "tests/fuzz/fuzz_target.h"

namespace agpt {
namespace {

// Takes four letters, then a number.
uint32_t read_number(const std::string& input) {
  uint32_t number;
  if (input.size() < 8 || !input.starts_with("READ")) throw FormatError("it has no number");
  std::memcpy(&number, input.data() + 4, sizeof number);
  return number;
}

void believe_count(const std::string& input) { std::vector<char>(read_number(input)).resize(1); }

void crash(const std::string& input) {
  if (read_number(input) > 100) std::abort();
}

void throw_another_error(const std::string& input) {
  if (read_number(input) > 100) throw std::length_error("a count is too large");
}

}  // namespace

std::vector<FuzzTarget> faulty_targets() {
  const std::vector<std::string> seeds = {std::string("READ\1\0\0\0", 8)};
  return {{.name = "faulty-count", .seeds = seeds, .run = believe_count},
          {.name = "faulty-crash", .seeds = seeds, .run = crash},
          {.name = "faulty-error", .seeds = seeds, .run = throw_another_error}};
}

}  // namespace agpt
