// When the first layer's queries, keys and values come from tables by token and by position
// (cpp/backend/embedding_tables.h): where the tables have fewer rows than batches that share parameters. Whether they do
// must not depend on the number of threads, on which no result may.
#pragma once

#include <memory>
#include <span>

#include "cpp/backend/backend.h"
#include "cpp/model/model_config.h"
#include "cpp/model/parameter_table.h"

namespace agpt {

template <class Real>
class FirstLayerTable {
 public:
  FirstLayerTable(const ModelConfig& config, const ParameterTable& table, Backend<Real>& backend);

  /// Turns the table on, with the present parameters, where it pays for about `n_rows` rows of batches, and else off.
  void start(Index n_rows);
  void stop() { is_on_ = false; }
  /// The tables, or null where they are off.
  const EmbeddingTables<Real>* tables() const { return is_on_ ? tables_.get() : nullptr; }

  /// Adds to `into` what the gradients of batches since start() share.
  void finish(std::span<const Gradient<Real>* const> gradients, Gradient<Real>& into) {
    if (is_on_) tables_->finish(gradients, into);
  }

 private:
  std::unique_ptr<EmbeddingTables<Real>> tables_;  // null where the model or the backend has no use for it
  Index n_rows_ = 0;                               // of the tables
  bool is_on_ = false;
};

}  // namespace agpt
