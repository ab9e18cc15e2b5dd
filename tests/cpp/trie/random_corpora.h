// Random corpora and options of indexes, of every kind that there is: small, so that brute force can check them.
#pragma once

#include <array>
#include <vector>

#include "cpp/base/random.h"
#include "cpp/corpus/corpus.h"
#include "cpp/trie/index_options.h"

namespace agpt {

inline std::vector<Token> to_vector(TokenView tokens) {
  std::vector<Token> copy;
  for (Index i = 0; i < tokens.size(); ++i) copy.push_back(tokens[i]);
  return copy;
}

// Random tokens, now and then repetitive, on an alphabet whose ids take 1, 2 or 4 bytes.
inline std::vector<Token> random_tokens(Index n, Token alphabet, Random& random) {
  const Token scale = std::array<Token, 4>{1, 1, 300, 70000}[random.below(4)];
  std::vector<Token> tokens(static_cast<size_t>(n));
  for (Token& token : tokens) token = static_cast<Token>(random.below(alphabet)) * scale;
  if (n > 0 && random.below(4) == 0) {
    const size_t period = 1 + random.below(7);
    for (size_t i = period; i < tokens.size(); ++i) tokens[i] = tokens[i - period];
    if (random.below(2) == 0) tokens[random.below(tokens.size())] = alphabet / 2 * scale;
  }
  return tokens;
}

inline IndexOptions random_options(Random& random, bool documents) {
  IndexOptions options;
  options.depth = 1 + static_cast<int>(random.below(random.below(4) == 0 ? 40 : 8));
  options.reverse = random.below(4) == 0;
  if (random.below(3) == 0) {
    options.prune_min_mass = 1 + static_cast<Index>(random.below(4));
    options.prune_min_depth = 1 + static_cast<int>(random.below(4));
  }
  if (random.below(3) == 0) options.val_fraction = 0.3 * random.uniform();
  if (documents) {
    options.starts.rule = random.below(3) == 0 ? Starts::Rule::every : Starts::Rule::documents;
    return options;
  }
  if (random.below(2) == 0) options.corpus_end = CorpusEnd::reference;
  switch (random.below(4)) {
    case 0:
      options.starts.rule = Starts::Rule::stride;
      options.starts.stride = 1 + static_cast<Index>(random.below(7));
      break;
    case 1:
      options.starts.rule = Starts::Rule::max;
      options.starts.count = 1 + static_cast<Index>(random.below(40));
      options.starts.offset = static_cast<Index>(random.below(50));
      break;
    default:
      break;
  }
  return options;
}

inline Token random_alphabet(Random& random) { return std::array<Token, 4>{1, 2, 5, 256}[random.below(4)]; }

/// A running text of 3 .. longest tokens.
inline Corpus random_text(Random& random, Index longest) {
  const Token alphabet = random_alphabet(random);
  const Index n = 3 + static_cast<Index>(random.below(static_cast<uint64_t>(longest - 2)));
  return Corpus::from_tokens<Token>(random_tokens(n, alphabet, random), {});
}

/// A few documents, some empty, some the same.
inline Corpus random_documents(Random& random) {
  std::vector<std::vector<Token>> documents(2 + random.below(12));
  const Token alphabet = random_alphabet(random);
  for (auto& document : documents) {
    document.resize(random.below(random.below(5) == 0 ? 30 : 5));
    for (Token& token : document) token = static_cast<Token>(random.below(alphabet));
  }
  return Corpus::from_token_documents(documents, {});
}

}  // namespace agpt
