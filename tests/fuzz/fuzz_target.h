// What the fuzzer feeds: a function that takes any bytes, and good inputs to begin with.
#pragma once

#include <functional>
#include <string>
#include <vector>

namespace agpt {

struct FuzzTarget {
  std::string name;
  /// Well-formed inputs, which mutations spoil.
  std::vector<std::string> seeds;
  /// Reads the input and uses what it read. May throw FormatError or ArgumentError and nothing else.
  std::function<void(const std::string& input)> run;
  /// Bytes at the start that hold counts and places: mutations prefer them.
  size_t header_bytes = 0;
  /// Makes the checksums of a mutated input right, so that the fault is behind them; may be empty.
  std::function<std::string(std::string input)> repair = {};
};

FuzzTarget index_target();
FuzzTarget reference_target();
FuzzTarget text_target();
FuzzTarget option_target();
/// Not readers of ours: each has a fault that the fuzzer must find, to test the fuzzer.
std::vector<FuzzTarget> faulty_targets();

}  // namespace agpt
