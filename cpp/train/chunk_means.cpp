#include "cpp/train/chunk_means.h"

namespace agpt {
namespace {

// What the gradient of each parameter is multiplied by in a chunk of so many positions.
std::vector<double> scales(const ParameterTable& table, Index positions) {
  std::vector<double> scale(table.parameters().size(), 1);
  const auto divide = [&](const LinearParameters& linear) {
    for (const int number : {linear.weight, linear.bias})
      if (number != kNoParameter && number != table.embedding)
        scale[static_cast<size_t>(number)] = 1 / static_cast<double>(positions);
  };
  for (const BlockParameters& block : table.blocks)
    for (const LinearParameters& linear : {block.qkv, block.output, block.up, block.down}) divide(linear);
  divide(table.head);
  return scale;
}

// The batches [begin, end) of a work, as one without chunks.
StepWork part_of(const StepWork& work, Index begin, Index end) {
  return {end - begin, [&work, begin](Index i, RowBatch& batch) { work.build(begin + i, batch); }};
}

}  // namespace

template <class Real>
BatchTotals sum_of_chunk_means(BatchRunner<Real>& runner, const ParameterTable& table, const StepWork& work,
                               TrainingState<Real>& state, const InterruptCheck& check) {
  BatchTotals totals;
  Index begin = 0;
  for (const Chunk& chunk : work.chunks) {
    totals.add(runner.run(part_of(work, begin, chunk.end_batch), state, scales(table, chunk.positions), check));
    begin = chunk.end_batch;
  }
  return totals;
}

template BatchTotals sum_of_chunk_means<float>(BatchRunner<float>&, const ParameterTable&, const StepWork&,
                                               TrainingState<float>&, const InterruptCheck&);
template BatchTotals sum_of_chunk_means<double>(BatchRunner<double>&, const ParameterTable&, const StepWork&,
                                                TrainingState<double>&, const InterruptCheck&);

}  // namespace agpt
