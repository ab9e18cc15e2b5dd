#include "cpp/trie/start_set.h"

#include <algorithm>

#include "cpp/base/error.h"
#include "cpp/trie/index_layout.h"

namespace agpt {
namespace {

Index count_boundaries(TokenView tokens, Token boundary) {
  return tokens.visit([&](auto ids) { return static_cast<Index>(std::count(ids.begin(), ids.end(), boundary)); });
}

std::vector<uint32_t> document_starts(TokenView tokens, Token boundary) {
  std::vector<uint32_t> starts;
  starts.reserve(static_cast<size_t>(count_boundaries(tokens, boundary) / 2));
  bool inside = false;
  for (Index i = 0; i < tokens.size(); ++i) {
    if (tokens[i] != boundary) continue;
    inside = !inside;
    if (inside) starts.push_back(static_cast<uint32_t>(i));
  }
  return starts;
}

// Every token but the last of a document: that is followed by nothing.
std::vector<uint32_t> starts_within_documents(TokenView tokens, Token boundary) {
  std::vector<uint32_t> starts;
  starts.reserve(static_cast<size_t>(tokens.size() - count_boundaries(tokens, boundary) / 2));
  bool inside = false;
  for (Index i = 0; i < tokens.size(); ++i) {
    if (tokens[i] == boundary) inside = !inside;
    if (inside) starts.push_back(static_cast<uint32_t>(i));
  }
  return starts;
}

std::vector<uint32_t> evenly_spread_starts(Index n_candidates, const Starts& rule) {
  const Index n = std::min(n_candidates, rule.count);
  const Index offset = n == n_candidates ? 0 : rule.offset % n_candidates;
  std::vector<uint32_t> starts;
  starts.reserve(static_cast<size_t>(n));
  for (Index i = 0; i < n; ++i)  // n_candidates < 2^31: the product fits
    starts.push_back(static_cast<uint32_t>((i * n_candidates / n + offset) % n_candidates));
  std::sort(starts.begin(), starts.end());
  return starts;
}

}  // namespace

StartSet StartSet::choose(TokenView tokens, std::optional<Token> boundary, const Starts& rule) {
  const bool suits_documents = rule.rule == Starts::Rule::every || rule.rule == Starts::Rule::documents;
  AGPT_REQUIRE(
      !boundary || suits_documents,
      "the starts '" + rule.to_string() + "' are for a running text: a corpus of documents has documents or every");
  const Index n_candidates = tokens.size() - 1;  // the last token is followed by nothing
  switch (rule.rule) {
    case Starts::Rule::every:
      if (boundary) return StartSet(starts_within_documents(tokens, *boundary));
      return StartSet(static_cast<uint32_t>(n_candidates), 1);
    case Starts::Rule::max:
      return StartSet(evenly_spread_starts(n_candidates, rule));
    case Starts::Rule::stride:
      break;
    case Starts::Rule::documents:
      AGPT_REQUIRE(boundary, "the starts 'documents' need a corpus of documents, but this is a running text");
      return StartSet(document_starts(tokens, *boundary));
    case Starts::Rule::imported:
      throw ArgumentError("an imported index does not know its starts");
  }
  const Index stride = std::min(rule.stride, kMaxTokens);
  return StartSet(static_cast<uint32_t>((n_candidates + stride - 1) / stride), static_cast<uint32_t>(stride));
}

size_t StartSet::bytes_needed(TokenView tokens, std::optional<Token> boundary, const Starts& rule) {
  const Index n_candidates = tokens.size() - 1;
  Index n_listed = 0;
  if (rule.rule == Starts::Rule::max) n_listed = std::min(n_candidates, rule.count);
  if (boundary) {
    const Index n_documents = count_boundaries(tokens, *boundary) / 2;
    n_listed = rule.rule == Starts::Rule::documents ? n_documents : tokens.size() - n_documents;
  }
  return static_cast<size_t>(n_listed) * sizeof(uint32_t);
}

std::vector<uint32_t> choose_starts(TokenView tokens, std::optional<Token> boundary, const Starts& rule) {
  const StartSet set = StartSet::choose(tokens, boundary, rule);
  std::vector<uint32_t> starts;
  starts.reserve(set.size());
  set.for_each(0, set.size(), [&](uint32_t start) { starts.push_back(start); });
  return starts;
}

}  // namespace agpt
