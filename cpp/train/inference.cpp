#include "cpp/train/inference.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <numeric>

#include "cpp/base/denormals.h"
#include "cpp/base/error.h"

namespace agpt {
namespace {

// Rows that are read again go through the layers so many at a time at least, so that activations stay in cache.
constexpr Index kRowsReadTogether = 256;

}  // namespace

void GenerationConfig::validate() const {
  AGPT_REQUIRE(max_tokens >= 0, "the number of new tokens must be at least 0");
  AGPT_REQUIRE(temperature >= 0 && std::isfinite(temperature), "the temperature must be a number of at least 0");
  AGPT_REQUIRE(top_k >= 0, "top_k must be at least 0 (0 is off)");
  AGPT_REQUIRE(top_p > 0 && top_p <= 1, "top_p must be above 0 and at most 1 (1 is off)");
  AGPT_REQUIRE(n_samples >= 1, "the number of samples must be at least 1");
  AGPT_REQUIRE(repetition_penalty > 0 && std::isfinite(repetition_penalty),
               "the repetition penalty must be a number above 0 (1 is off)");
  AGPT_REQUIRE(repetition_window >= 1, "the repetition window must be at least 1 token");
  AGPT_REQUIRE(reread_tokens >= 0, "the number of tokens that are read again must be at least 0 (0 is half a context)");
}

void penalise_repetition(std::span<double> logits, std::span<const Token> recent, double penalty) {
  for (const Token token : recent) {
    double& logit = logits[token];
    logit = logit > 0 ? logit / penalty : logit * penalty;
  }
}

Token sample_token(std::span<const double> logits, const GenerationConfig& config,
                   const std::function<double()>& uniform) {
  const auto best = static_cast<size_t>(std::max_element(logits.begin(), logits.end()) - logits.begin());
  if (config.temperature == 0) return static_cast<Token>(best);
  std::vector<size_t> order;  // of falling logits; empty where all tokens are kept, in their own order
  const auto token_at = [&](size_t i) { return order.empty() ? i : order[i]; };
  size_t kept = logits.size();
  if (config.top_k > 0) kept = std::min(kept, static_cast<size_t>(config.top_k));
  if (kept < logits.size() || config.top_p < 1) {
    order.resize(logits.size());
    std::iota(order.begin(), order.end(), size_t{0});
    std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) { return logits[a] > logits[b]; });
    while (kept < order.size() && logits[order[kept]] == logits[order[kept - 1]]) ++kept;
  }
  std::vector<double> share(kept);
  double sum = 0;
  for (size_t i = 0; i < kept; ++i)
    sum += share[i] = std::exp((logits[token_at(i)] - logits[best]) / config.temperature);
  if (config.top_p < 1) {
    double reached = 0;
    for (size_t i = 0; i < kept; ++i) {
      reached += share[i];
      if (reached >= config.top_p * sum) kept = i + 1;
    }
    sum = reached;
  }
  double left = uniform() * sum;
  for (size_t i = 0; i < kept; ++i) {
    left -= share[i];
    if (left < 0) return static_cast<Token>(token_at(i));
  }
  return static_cast<Token>(token_at(kept - 1));  // rounding left a rest
}

template <class Real>
Inference<Real>::Inference(const ModelConfig& model, std::unique_ptr<Backend<Real>> backend,
                           std::span<const Real> parameters)
    : model_(model),
      table_(model_),
      backend_(std::move(backend)),
      stream_(backend_->make_stream()),
      transformer_(model_, table_, *stream_) {
  AGPT_REQUIRE(static_cast<Index>(parameters.size()) == table_.size(),
               "the parameter buffer holds " + std::to_string(parameters.size()) + " numbers, but the model has " +
                   std::to_string(table_.size()));
  backend_->set_parameters(parameters);
}

template <class Real>
void Inference<Real>::require_known(std::span<const Token> tokens) const {
  for (const Token token : tokens)
    AGPT_REQUIRE(token < model_.vocab_size, "token " + std::to_string(token) + " is not in the model's vocabulary of " +
                                                std::to_string(model_.vocab_size) + " tokens");
}

template <class Real>
int32_t Inference<Real>::append_chain(std::span<const Token> tokens, int32_t parent) {
  for (const Token token : tokens) {
    const int32_t position = parent < 0 ? 0 : batch_.position[static_cast<size_t>(parent)] + 1;
    parent = batch_.begin_row(token, position, parent);
    batch_.end_row();
  }
  return parent;
}

template <class Real>
Rows<Real> Inference<Real>::compute(Index begin, Index scored, Index capacity) {
  const FlushDenormals flush;
  batch_.n_leading_ghosts = scored;
  build_tiles(batch_, backend_->tile_rows(), begin);
  return transformer_.logits(batch_, begin, scored, capacity);
}

template <class Real>
Rows<Real> Inference<Real>::compute_chain(std::span<const Token> tokens) {
  require_known(tokens);
  AGPT_REQUIRE(static_cast<int>(tokens.size()) <= model_.context, "the text has " + std::to_string(tokens.size()) +
                                                                      " tokens, but the model's context is " +
                                                                      std::to_string(model_.context));
  batch_.clear();
  append_chain(tokens, -1);
  return compute(0, 0, batch_.n_rows());
}

template <class Real>
std::vector<Real> Inference<Real>::rows_from(Rows<Real> rows, Index columns, Index begin) {
  std::vector<Real> values(static_cast<size_t>((batch_.n_rows() - begin) * columns));
  stream_->read_rows(columns, begin, batch_.n_rows(), rows, values);
  return values;
}

template <class Real>
std::vector<Real> Inference<Real>::logits(std::span<const Token> tokens) {
  if (tokens.empty()) return {};
  return rows_from(compute_chain(tokens), model_.vocab_size, 0);
}

template <class Real>
std::vector<StageValues<Real>> Inference<Real>::stages(std::span<const Token> tokens) {
  AGPT_REQUIRE(!tokens.empty(), "the text has no token: the stages of the forward pass need at least one");
  compute_chain(tokens);
  std::vector<StageValues<Real>> result;
  for (const StageView<Real>& stage : transformer_.stages())
    result.push_back({stage.name, stage.columns, rows_from(stage.values, stage.columns, 0)});
  return result;
}

template <class Real>
std::vector<Token> Inference<Real>::reread_of(std::span<const Token> text, const GenerationConfig& config) const {
  const auto context = static_cast<size_t>(model_.context);
  const size_t n =
      config.reread_tokens > 0 ? static_cast<size_t>(config.reread_tokens) : std::max<size_t>(1, context / 2);
  const bool has_restart = config.restart_token >= 0;
  const std::span<const Token> end = text.last(std::min({text.size(), n, context - (has_restart ? 1 : 0)}));
  std::vector<Token> read(end.begin(), end.end());
  if (has_restart) read.insert(read.begin(), static_cast<Token>(config.restart_token));
  return read;
}

template <class Real>
std::vector<Token> Inference<Real>::read_of_prompt(std::span<const Token> prompt,
                                                   const GenerationConfig& config) const {
  // A context of one token reads just the last token; otherwise one place is left for the first new token.
  const size_t most = std::max<size_t>(1, static_cast<size_t>(model_.context) - 1);
  if (config.restart_token >= 0 && prompt.size() > most) return reread_of(prompt, config);
  const std::span<const Token> read = prompt.last(std::min(prompt.size(), most));
  return {read.begin(), read.end()};
}

template <class Real>
void Inference<Real>::require_fitting(std::span<const Token> prompt, const GenerationConfig& config) const {
  config.validate();
  require_known(prompt);
  AGPT_REQUIRE(!prompt.empty(), "generation needs a prompt of at least one token");
  const bool has_restart = config.restart_token >= 0;
  for (const int64_t token : {config.restart_token, config.excluded_token})
    if (token >= 0) require_known(std::array{static_cast<Token>(token)});
  AGPT_REQUIRE(config.excluded_token < 0 || model_.vocab_size > 1, "the only token of the vocabulary is excluded");
  const Index room = model_.context - (has_restart ? 1 : 0);
  AGPT_REQUIRE(config.reread_tokens <= room,
               "the last " + std::to_string(config.reread_tokens) + " tokens cannot be read again: choose at most " +
                   std::to_string(room) + ", the model's context of " + std::to_string(model_.context) +
                   (has_restart ? " less the token before them" : ""));
}

template <class Real>
std::vector<std::vector<Token>> Inference<Real>::generate(std::span<const Token> prompt, const GenerationConfig& config,
                                                          const std::function<void(Index)>& progress) {
  require_fitting(prompt, config);
  const auto n_samples = static_cast<size_t>(config.n_samples);
  const std::vector<Token> read = read_of_prompt(prompt, config);
  const auto n_read = static_cast<Index>(read.size());
  const bool reads_again = n_read + config.max_tokens > model_.context;
  const Index capacity =
      reads_again ? model_.context * config.n_samples : n_read + config.max_tokens * config.n_samples;

  std::vector<std::vector<Token>> texts(n_samples, {prompt.begin(), prompt.end()});
  std::vector<std::function<double()>> uniforms(n_samples, config.uniform);
  if (!config.uniform)
    for (size_t s = 0; s < n_samples; ++s)
      uniforms[s] = [random = Random(mix_bits(config.seed) + s)]() mutable { return random.uniform(); };
  batch_.clear();
  std::vector<int32_t> last(n_samples, append_chain(read, -1));
  std::vector<bool> ended(n_samples, false);
  const Index columns = model_.vocab_size;
  Index first_read = last[0];
  std::vector<Real> rows = rows_from(compute(0, first_read, capacity), columns, first_read);
  std::vector<double> logits(static_cast<size_t>(columns));

  for (Index n = 0; n < config.max_tokens; ++n) {
    for (size_t s = 0; s < n_samples; ++s) {
      if (ended[s]) continue;
      const Real* row = rows.data() + (last[s] - first_read) * columns;
      logits.assign(row, row + columns);
      const std::span<const Token> text = texts[s];
      penalise_repetition(logits, text.last(std::min(text.size(), static_cast<size_t>(config.repetition_window))),
                          config.repetition_penalty);
      if (config.excluded_token >= 0)
        logits[static_cast<size_t>(config.excluded_token)] = -std::numeric_limits<double>::infinity();
      const Token next = sample_token(logits, config, uniforms[s]);
      ended[s] = static_cast<int64_t>(next) == config.stop_token;
      if (!ended[s]) texts[s].push_back(next);
    }
    if (progress) progress(n + 1);
    const auto running = std::find(ended.begin(), ended.end(), false) - ended.begin();
    if (n + 1 == config.max_tokens || running == config.n_samples) break;

    // All samples that have not ended are equally long.
    const bool full = batch_.position[static_cast<size_t>(last[static_cast<size_t>(running)])] + 1 == model_.context;
    if (full) batch_.clear();
    Index begin = batch_.n_rows();
    for (size_t s = 0; full && s < n_samples; ++s) {
      if (ended[s]) continue;
      const std::vector<Token> read = reread_of(texts[s], config);
      last[s] = append_chain(std::span(read).first(read.size() - 1), -1);
      if (batch_.n_rows() - begin < kRowsReadTogether) continue;
      compute(begin, batch_.n_rows(), capacity);
      begin = batch_.n_rows();
    }
    first_read = batch_.n_rows();  // of the rows before it no logits are needed
    for (size_t s = 0; s < n_samples; ++s)
      if (!ended[s]) last[s] = append_chain(std::span(texts[s]).last(1), last[s]);
    rows = rows_from(compute(begin, first_read, capacity), columns, first_read);
  }
  for (std::vector<Token>& text : texts) text.erase(text.begin(), text.begin() + static_cast<Index>(prompt.size()));
  return texts;
}

template class Inference<float>;
template class Inference<double>;

}  // namespace agpt
