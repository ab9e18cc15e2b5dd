#include "cpp/train/inference.h"

#include <algorithm>
#include <array>
#include <limits>

#include "cpp/base/denormals.h"
#include "cpp/base/error.h"
#include "cpp/base/random.h"

namespace agpt {
namespace {

// Rows that are read again go through the layers so many at a time at least, so that activations stay in cache.
constexpr Index kRowsReadTogether = 256;

// So many samples are written side by side as keep their queries, keys and values in cache, but so many at least, for
// the weights are read once for all of them.
constexpr Index kCachedBytes = Index{1} << 20, kFewestSamples = 16;

// Whether texts are written with tables of the first layer must not depend on how many there are or how long: as if they
// had so many rows.
constexpr Index kRowsWritten = 1024;

}  // namespace

template <class Real>
Inference<Real>::Inference(const ModelConfig& model, std::unique_ptr<Backend<Real>> backend,
                           std::span<const Real> parameters)
    : model_(model),
      table_(model_),
      backend_(std::move(backend)),
      stream_(backend_->make_stream()),
      first_layer_(model_, table_, *backend_),
      transformer_(model_, table_, *stream_, &first_layer_) {
  set_parameters(parameters);
}

template <class Real>
void Inference<Real>::set_parameters(std::span<const Real> parameters) {
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
Rows<Real> Inference<Real>::compute(Index begin, Index scored, Index capacity, bool keeps_stages) {
  const FlushDenormals flush;
  batch_.n_leading_ghosts = scored;
  build_tiles(batch_, backend_->tile_rows(), begin);
  return transformer_.logits(batch_, begin, scored, capacity, keeps_stages);
}

template <class Real>
Rows<Real> Inference<Real>::compute_chain(std::span<const Token> tokens, bool keeps_stages) {
  require_known(tokens);
  AGPT_REQUIRE(static_cast<int>(tokens.size()) <= model_.context, "the text has " + std::to_string(tokens.size()) +
                                                                      " tokens, but the model's context is " +
                                                                      std::to_string(model_.context));
  batch_.clear();
  batch_.append_ghosts(tokens, -1);
  first_layer_.stop();
  return compute(0, 0, batch_.n_rows(), keeps_stages);
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
  return rows_from(compute_chain(tokens, false), model_.vocab_size, 0);
}

template <class Real>
std::vector<StageValues<Real>> Inference<Real>::stages(std::span<const Token> tokens) {
  AGPT_REQUIRE(!tokens.empty(), "the text has no token: the stages of the forward pass need at least one");
  compute_chain(tokens, true);
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
  const std::vector<Token> read = read_of_prompt(prompt, config);
  const auto n_read = static_cast<Index>(read.size());
  const bool reads_again = n_read + config.max_tokens > model_.context;
  const Index rows_of_sample = reads_again ? model_.context : config.max_tokens;
  const Index at_a_time = samples_at_a_time(config.n_samples, rows_of_sample);
  const Index capacity = n_read + rows_of_sample * at_a_time;

  std::vector<Sample> samples(static_cast<size_t>(config.n_samples));
  for (size_t s = 0; s < samples.size(); ++s) {
    samples[s].text.assign(prompt.begin(), prompt.end());
    samples[s].uniform = config.uniform;
    if (!config.uniform)
      samples[s].uniform = [random = Random(mix_bits(config.seed) + s)]() mutable { return random.uniform(); };
  }
  std::vector<Real> behind_prompt;
  first_layer_.start(kRowsWritten);
  for (Index first = 0; first < config.n_samples; first += at_a_time) {
    if (reads_again || first == 0) {
      batch_.clear();
      batch_.append_ghosts(std::span(read), -1);
      behind_prompt = rows_from(compute(0, n_read - 1, capacity), model_.vocab_size, n_read - 1);
    } else {
      batch_.keep_first(n_read);
    }
    const Index n_here = std::min(at_a_time, config.n_samples - first);
    write(std::span(samples).subspan(static_cast<size_t>(first), static_cast<size_t>(n_here)), behind_prompt, config,
          capacity, [&](Index n) {
            if (progress) progress((first * config.max_tokens + n_here * n) / config.n_samples);
          });
  }
  std::vector<std::vector<Token>> written;
  for (const Sample& sample : samples)
    written.emplace_back(sample.text.begin() + static_cast<Index>(prompt.size()), sample.text.end());
  return written;
}

template <class Real>
Index Inference<Real>::samples_at_a_time(Index n_samples, Index rows_of_sample) const {
  if (backend_->joined_rows() > 0) return n_samples;  // a device wants them all
  const Index bytes = rows_of_sample * model_.n_layers * padded_width(3 * model_.d_model) * Index{sizeof(Real)};
  const Index most = std::max(kFewestSamples, kCachedBytes / std::max<Index>(1, bytes));
  const Index n_times = (n_samples + most - 1) / most;
  return (n_samples + n_times - 1) / n_times;
}

template <class Real>
void Inference<Real>::write(std::span<Sample> samples, std::span<const Real> behind_prompt,
                            const GenerationConfig& config, Index capacity,
                            const std::function<void(Index)>& progress) {
  const Index columns = model_.vocab_size;
  const auto last_read = static_cast<int32_t>(batch_.n_rows()) - 1;
  for (Sample& sample : samples) sample.last_row = last_read;
  Index first_row = last_read;
  std::vector<Real> rows(behind_prompt.begin(), behind_prompt.end());
  std::vector<double> logits(static_cast<size_t>(columns));
  for (Index n = 0; n < config.max_tokens; ++n) {
    for (Sample& sample : samples) {
      if (sample.has_ended) continue;
      const Real* row = rows.data() + (sample.last_row - first_row) * columns;
      logits.assign(row, row + columns);
      const Token next = next_token(logits, sample, config);
      sample.has_ended = static_cast<int64_t>(next) == config.stop_token;
      if (!sample.has_ended) sample.text.push_back(next);
    }
    progress(n + 1);
    if (n + 1 == config.max_tokens || std::ranges::all_of(samples, &Sample::has_ended)) return;
    const Index begin = make_room(samples, config, capacity);
    first_row = batch_.n_rows();  // of the rows before it no logits are needed
    for (Sample& sample : samples)
      if (!sample.has_ended)
        sample.last_row = batch_.append_ghosts(std::span<const Token>(sample.text).last(1), sample.last_row);
    rows = rows_from(compute(begin, first_row, capacity), columns, first_row);
  }
}

template <class Real>
Token Inference<Real>::next_token(std::span<double> logits, const Sample& sample, const GenerationConfig& config) {
  const std::span<const Token> text = sample.text;
  if (config.repetition_penalty != 1)
    penalise_repetition(logits, text.last(std::min(text.size(), static_cast<size_t>(config.repetition_window))),
                        config.repetition_penalty);
  if (config.excluded_token >= 0)
    logits[static_cast<size_t>(config.excluded_token)] = -std::numeric_limits<double>::infinity();
  return sample_token(logits, config, sample.uniform);
}

template <class Real>
Index Inference<Real>::make_room(std::span<Sample> samples, const GenerationConfig& config, Index capacity) {
  // All samples that have not ended are equally long.
  const auto running = std::ranges::find(samples, false, &Sample::has_ended);
  const bool is_full = batch_.position[static_cast<size_t>(running->last_row)] + 1 == model_.context;
  if (is_full) batch_.clear();
  Index begin = batch_.n_rows();
  for (Sample& sample : samples) {
    if (!is_full || sample.has_ended) continue;
    const std::vector<Token> read = reread_of(sample.text, config);
    sample.last_row = batch_.append_ghosts(std::span(read).first(read.size() - 1), -1);
    if (batch_.n_rows() - begin < kRowsReadTogether) continue;
    compute(begin, batch_.n_rows(), capacity);
    begin = batch_.n_rows();
  }
  return begin;
}

template class Inference<float>;
template class Inference<double>;

}  // namespace agpt
