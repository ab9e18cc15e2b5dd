#include "tests/fuzz/mutation.h"

#include <algorithm>
#include <array>
#include <cstring>

namespace agpt {
namespace {

class Mutation {
 public:
  Mutation(std::string& input, std::span<const std::string> others, size_t header_bytes, Random& random)
      : input_(input), others_(others), header_bytes_(header_bytes), random_(random) {}

  void apply() {
    if (input_.empty()) return insert_piece();
    switch (random_.below(10)) {
      case 0:
        input_[place()] ^= static_cast<char>(1 << random_.below(8));
        break;
      case 1:
        input_[place()] = static_cast<char>(random_.below(256));
        break;
      case 2:
      case 3:
      case 4:
        replace_number();
        break;
      case 5:
        exchange_neighbours();
        break;
      case 6:
        copy_within();
        break;
      case 7:
        input_.erase(place(), 1 + random_.below(16));
        break;
      case 8:
        insert_piece();
        break;
      default:
        input_.resize(random_.below(input_.size() + 1));
    }
  }

 private:
  size_t place() {
    const size_t header = std::min(header_bytes_, input_.size());
    return random_.below(header > 0 && random_.below(2) == 0 ? header : input_.size());
  }

  uint64_t hostile_number(uint64_t old) {
    const std::array<uint64_t, 14> numbers = {
        0,    1,    old + 1,    old - 1,    old * 2,    input_.size(),     input_.size() - 1,
        0x7f, 0xff, 0x7fffffff, 0x80000000, 0xffffffff, uint64_t{1} << 63, ~uint64_t{0}};
    const uint64_t choice = random_.below(numbers.size() + 2);
    if (choice < numbers.size()) return numbers[choice];
    return choice == numbers.size() ? random_.below(256) : random_.next_bits();
  }

  void replace_number() {
    const size_t width = size_t{1} << random_.below(4);
    if (input_.size() < width) return;
    const size_t at = std::min(place() / width * width, input_.size() - width);  // numbers are mostly aligned
    uint64_t number = 0;
    std::memcpy(&number, input_.data() + at, width);
    number = hostile_number(number);
    std::memcpy(input_.data() + at, &number, width);
  }

  void exchange_neighbours() {
    const size_t width = size_t{1} << random_.below(5);
    if (input_.size() < 2 * width) return;
    const size_t at = std::min(place() / width * width, input_.size() - 2 * width);
    const auto first = input_.begin() + static_cast<std::ptrdiff_t>(at),
               end = first + static_cast<std::ptrdiff_t>(width);
    std::swap_ranges(first, end, end);
  }

  void copy_within() {
    const size_t from = place(), to = place();
    const size_t n = std::min(1 + random_.below(64), input_.size() - std::max(from, to));
    std::memmove(input_.data() + to, input_.data() + from, n);
  }

  void insert_piece() {
    const std::string& other = others_[random_.below(others_.size())];
    if (other.empty()) return;
    const size_t from = random_.below(other.size());
    input_.insert(random_.below(input_.size() + 1), other, from, 1 + random_.below(64));
  }

  std::string& input_;
  const std::span<const std::string> others_;
  const size_t header_bytes_;
  Random& random_;
};

}  // namespace

std::string mutate(std::string input, std::span<const std::string> others, size_t header_bytes, Random& random) {
  for (uint64_t n = 1 + random.below(random.below(4) == 0 ? 12 : 3); n > 0; --n)
    Mutation(input, others, header_bytes, random).apply();
  return input;
}

}  // namespace agpt
