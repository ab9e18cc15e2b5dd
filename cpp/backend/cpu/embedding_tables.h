// The tables of cpp/backend/embedding_tables.h with the CPU's kernels.
#pragma once

#include <memory>

#include "cpp/backend/cpu/packed_parameters.h"

namespace agpt {

/// `model` must be that of `parameters`, with matrices of linear layers as (inputs, outputs). All references must outlive
/// the tables.
template <class Real>
std::unique_ptr<EmbeddingTables<Real>> make_cpu_embedding_tables(const EmbeddedLinearShape& shape,
                                                                 const ModelShape& model, const PaddedLayout& layout,
                                                                 const KernelTable<Real>& kernels,
                                                                 const PackedParameters<Real>& parameters);

}  // namespace agpt
