// A trained model at work: logits of a text, and generation of new text with a cache of keys and values.
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "cpp/train/token_sampling.h"
#include "cpp/train/transformer.h"

namespace agpt {

/// A copy of a stage of the forward pass: values (tokens, columns), row-major.
template <class Real>
struct StageValues {
  std::string name;
  Index columns = 0;
  std::vector<Real> values;
};

template <class Real>
class Inference {
 public:
  /// backend: made for model_shape(model). parameters: the flat buffer of the model; copied by the backend.
  Inference(const ModelConfig& model, std::unique_ptr<Backend<Real>> backend, std::span<const Real> parameters);

  /// Parameters from now on, of a model that has changed; copied as well.
  void set_parameters(std::span<const Real> parameters);

  /// logits (tokens, vocabulary), row-major: row i predicts the token behind tokens[0 .. i]. At most `context` tokens.
  std::vector<Real> logits(std::span<const Token> tokens);

  /// Every stage of the forward pass of the tokens, in order: see Transformer::stages().
  std::vector<StageValues<Real>> stages(std::span<const Token> tokens);

  /// New tokens of each sample, the prompt excluded. The prompt has at least one token. Samples share the rows of the
  /// prompt. When the context is full, the end of the text is encoded anew (reread_tokens behind restart_token), so a
  /// text can be longer than the context; of a prompt that fills the context its last context - 1 tokens are read, or
  /// with a restart token what would be read anew. On a CPU samples are written some at a time, as caches hold them; a
  /// sample does not depend on that. `progress` is called often, with the number of tokens of a sample so far: the mean
  /// over all samples.
  std::vector<std::vector<Token>> generate(std::span<const Token> prompt, const GenerationConfig& config,
                                           const std::function<void(Index)>& progress);

 private:
  struct Sample {
    std::vector<Token> text;  // the prompt included
    std::function<double()> uniform;
    int32_t last_row = 0;  // of the text, in the batch
    bool has_ended = false;
  };

  void require_known(std::span<const Token> tokens) const;
  /// Refuses what the model cannot generate from, or as.
  void require_fitting(std::span<const Token> prompt, const GenerationConfig& config) const;
  /// What is read of a prompt, and of a text that has filled the context.
  std::vector<Token> read_of_prompt(std::span<const Token> prompt, const GenerationConfig& config) const;
  std::vector<Token> reread_of(std::span<const Token> text, const GenerationConfig& config) const;
  /// How many of the samples are written side by side, each of which has up to so many rows of its own.
  Index samples_at_a_time(Index n_samples, Index rows_of_sample) const;
  /// Writes the samples side by side behind the rows of the batch, the prompt, from the logits of its last row.
  void write(std::span<Sample> samples, std::span<const Real> behind_prompt, const GenerationConfig& config,
             Index capacity, const std::function<void(Index)>& progress);
  /// Draws what follows the sample's text; the logits are changed on the way.
  static Token next_token(std::span<double> logits, const Sample& sample, const GenerationConfig& config);
  /// Where the context is full, begins anew with the ends of the texts up to their last tokens. Returns the first row
  /// that has not been computed.
  Index make_room(std::span<Sample> samples, const GenerationConfig& config, Index capacity);
  /// Computes the logits of the tokens as the one chain of the batch, with all stages on the way if they are kept.
  Rows<Real> compute_chain(std::span<const Token> tokens, bool keeps_stages);
  /// The rows from `begin` to the end of the batch, in host memory, packed row-major.
  std::vector<Real> rows_from(Rows<Real> rows, Index columns, Index begin);
  /// Computes the rows [begin, end of batch), and the logits of those from `scored` on.
  Rows<Real> compute(Index begin, Index scored, Index capacity, bool keeps_stages = false);

  const ModelConfig model_;
  const ParameterTable table_;
  std::unique_ptr<Backend<Real>> backend_;
  std::unique_ptr<Stream<Real>> stream_;
  FirstLayerTable<Real> first_layer_;  // on while texts are written
  Transformer<Real> transformer_;
  RowBatch batch_;
};

}  // namespace agpt
