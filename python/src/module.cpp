// The extension module agpt._engine: calls the bind_* functions in dependency order.
#include "python/src/bindings.h"

NB_MODULE(_engine, m) {
  m.doc() = "The compiled engine. Import agpt instead.";
  bind_errors(m);
  bind_system(m);
  bind_corpus(m);
  bind_trie_index(m);
  bind_diagnostics(m);
  bind_interchange(m);
  bind_synth(m);
  bind_sequence_trie(m);
  bind_model(m);
  bind_step_sources(m);
  bind_trainer(m);
  bind_inference(m);
}
