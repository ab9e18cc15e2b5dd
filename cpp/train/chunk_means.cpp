#include "cpp/train/chunk_means.h"

#include <algorithm>

namespace agpt {
namespace {

// Which parameters are divided, by their numbers.
std::vector<bool> divided_parameters(const ParameterTable& table) {
  std::vector<bool> divided(table.parameters().size(), false);
  const auto add = [&](const LinearParameters& linear) {
    for (const int number : {linear.weight, linear.bias})
      if (number != kNoParameter && number != table.embedding) divided[static_cast<size_t>(number)] = true;
  };
  for (const BlockParameters& block : table.blocks)
    for (const LinearParameters& linear : {block.qkv, block.output, block.up, block.down}) add(linear);
  add(table.head);
  return divided;
}

// The batches [begin, end) of a work, as one without chunks.
StepWork part_of(const StepWork& work, Index begin, Index end) {
  return {end - begin, [&work, begin](Index i, RowBatch& batch) { work.build(begin + i, batch); }};
}

}  // namespace

template <class Real>
BatchTotals sum_of_chunk_means(BatchRunner<Real>& runner, const ParameterTable& table, const StepWork& work,
                               std::span<double> gradient, const InterruptCheck& check) {
  const std::vector<bool> divided = divided_parameters(table);
  std::vector<double> of_chunk(gradient.size());
  std::fill(gradient.begin(), gradient.end(), 0.0);
  BatchTotals totals;
  Index begin = 0;
  for (const Chunk& chunk : work.chunks) {
    totals.add(runner.run(part_of(work, begin, chunk.end_batch), of_chunk, check));
    for (size_t number = 0; number < divided.size(); ++number) {
      const Parameter& parameter = table[static_cast<int>(number)];
      const double scale = divided[number] ? 1 / static_cast<double>(chunk.positions) : 1;
      for (Index i = parameter.offset; i < parameter.offset + parameter.size(); ++i)
        gradient[static_cast<size_t>(i)] += scale * of_chunk[static_cast<size_t>(i)];
    }
    begin = chunk.end_batch;
  }
  return totals;
}

template BatchTotals sum_of_chunk_means<float>(BatchRunner<float>&, const ParameterTable&, const StepWork&,
                                               std::span<double>, const InterruptCheck&);
template BatchTotals sum_of_chunk_means<double>(BatchRunner<double>&, const ParameterTable&, const StepWork&,
                                                std::span<double>, const InterruptCheck&);

}  // namespace agpt
