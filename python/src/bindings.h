// What the binding files share. One file per area of the engine, each with one bind_* function and no logic of its own.
#pragma once

#include <nanobind/nanobind.h>

namespace nb = nanobind;

void bind_errors(nb::module_& m);
void bind_corpus(nb::module_& m);
void bind_trie_index(nb::module_& m);
void bind_diagnostics(nb::module_& m);
void bind_interchange(nb::module_& m);
void bind_synth(nb::module_& m);
void bind_sequence_trie(nb::module_& m);
void bind_model(nb::module_& m);
void bind_step_sources(nb::module_& m);
void bind_trainer(nb::module_& m);
void bind_inference(nb::module_& m);
void bind_system(nb::module_& m);
