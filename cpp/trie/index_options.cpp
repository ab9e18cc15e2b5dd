#include "cpp/trie/index_options.h"

#include <charconv>
#include <string_view>

#include "cpp/base/error.h"
#include "cpp/trie/index_layout.h"

namespace agpt {
namespace {

// The whole of `digits` as a number; -1 if it is none.
Index parse_number(std::string_view digits) {
  Index number = -1;
  const char* const end = digits.data() + digits.size();
  const auto [rest, error] = std::from_chars(digits.data(), end, number);
  return error == std::errc() && rest == end && number >= 0 ? number : -1;
}

}  // namespace

Starts Starts::parse(const std::string& text) {
  const std::string_view view = text;
  Starts starts;
  bool valid = true;
  if (view == "every") {
    starts.rule = Rule::every;
  } else if (view == "documents") {
    starts.rule = Rule::documents;
  } else if (view.starts_with("stride=")) {
    starts.rule = Rule::stride;
    starts.stride = parse_number(view.substr(7));
    valid = starts.stride >= 1;
  } else if (view.starts_with("max=")) {
    starts.rule = Rule::max;
    const std::string_view numbers = view.substr(4);
    const size_t plus = numbers.find('+');
    starts.count = parse_number(numbers.substr(0, plus));
    if (plus != std::string_view::npos) starts.offset = parse_number(numbers.substr(plus + 1));
    valid = starts.count >= 1 && starts.offset >= 0;
  } else {
    valid = false;
  }
  AGPT_REQUIRE(valid, "'" + text + "' is no rule for starts: choose every, stride=K, max=N, max=N+OFFSET or documents");
  return starts;
}

std::string Starts::to_string() const {
  switch (rule) {
    case Rule::every:
      return "every";
    case Rule::stride:
      return "stride=" + std::to_string(stride);
    case Rule::max: {
      std::string text = "max=" + std::to_string(count);
      if (offset > 0) text.append("+").append(std::to_string(offset));
      return text;
    }
    case Rule::documents:
      return "documents";
    case Rule::imported:
      break;
  }
  return "imported";
}

Starts Starts::canonical() const {
  Starts same{.rule = rule};
  if (rule == Rule::stride) same.stride = stride;
  if (rule == Rule::max || rule == Rule::imported) same.count = count;
  if (rule == Rule::max) same.offset = offset;
  return same;
}

CorpusEnd parse_corpus_end(const std::string& text) {
  if (text == "exact") return CorpusEnd::exact;
  if (text == "reference") return CorpusEnd::reference;
  throw ArgumentError("'" + text + "' is no rule for the end of the corpus: choose exact or reference");
}

std::string to_string(CorpusEnd rule) { return rule == CorpusEnd::exact ? "exact" : "reference"; }

void IndexOptions::validate() const {
  AGPT_REQUIRE(depth >= 1 && depth <= kMaxDepth, "the depth of an index is " + std::to_string(depth) +
                                                     ", but must be from 1 to " + std::to_string(kMaxDepth));
  AGPT_REQUIRE(val_fraction >= 0 && val_fraction < 1,
               "the held-out fraction is " + std::to_string(val_fraction) + ", but must be at least 0 and less than 1");
  AGPT_REQUIRE(
      starts.rule != Starts::Rule::imported,
      "the starts 'imported' are those of an index that was imported: a text has every, stride, max or documents");
  AGPT_REQUIRE(starts.rule != Starts::Rule::stride || starts.stride >= 1,
               "the stride of the starts is " + std::to_string(starts.stride) + ", but must be at least 1");
  AGPT_REQUIRE(starts.rule != Starts::Rule::max || starts.count >= 1,
               "the number of starts is " + std::to_string(starts.count) + ", but must be at least 1");
  AGPT_REQUIRE(starts.rule != Starts::Rule::max || starts.offset >= 0,
               "the offset of the starts is " + std::to_string(starts.offset) + ", but must be at least 0");
  AGPT_REQUIRE(prune_min_mass >= 1,
               "prune_min_mass is " + std::to_string(prune_min_mass) + ", but must be at least 1 (1: no pruning)");
  AGPT_REQUIRE(prune_min_depth >= 1,
               "prune_min_depth is " + std::to_string(prune_min_depth) + ", but must be at least 1");
}

}  // namespace agpt
